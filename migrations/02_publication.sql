-- Which tables are told, and which operations on them.
CREATE PUBLICATION {publication} {for_tables}WITH (publish = {operations}, publish_via_partition_root = {via_root});
