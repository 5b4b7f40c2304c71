"""DataAudit: says what may be wrong with the data, from features that are there anyway.

`pictures` gathers what is known of each picture. `label_issues` finds labels that look wrong, `neighbours` pictures
that are like no other or all but the same, `odd_pictures` blurred, dark and small ones and their like, by what `robust`
calls unusual. `issue_tables` writes them down, with thumbnails of the first.
"""
