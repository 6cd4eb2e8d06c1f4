-- The way back: changes are told no more. A position that rests on this publication cannot be gone on from.
DROP PUBLICATION IF EXISTS {publication};
