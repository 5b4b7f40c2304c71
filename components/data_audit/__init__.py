"""DataAudit: says what may be wrong with the data, from features that are there anyway.

`pictures` gathers what is known of each picture, `label_issues` finds labels that look wrong, and `executor` writes the
tables and the thumbnails of their first rows.
"""
