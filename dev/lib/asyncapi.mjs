// Whether AsyncAPI's own parser takes a document: prints what it has against it, one line each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , modules, path] = process.argv;
const { Parser } = createRequire(`${modules}/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"));
// Severity 0 is an error, 1 a warning; what is left are hints of taste.
for (const one of diagnostics.filter((one) => one.severity < 2)) {
  console.log(`${one.code}: ${one.message} at ${one.path.join(".")}`);
}
if (document === undefined) {
  console.log("it is no AsyncAPI document");
} else {
  console.error(`${document.allChannels().all().length} channels, ${document.allMessages().all().length} messages`);
}
