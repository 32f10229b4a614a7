"""What the J-Credit committee and the verifier get of a settled period: one ZIP, made again byte for byte (E5a).

`gathering` reads it from the chain and the copy, `tables` lays it out, `archive` packs it, `check` is the auditor's:
it needs the file and the genesis, and no node.
"""
