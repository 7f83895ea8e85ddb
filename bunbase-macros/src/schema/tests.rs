//! Pretty-printed expansions, reviewed.
