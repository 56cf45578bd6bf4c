"""Reading each kind of object whole: pages, what pages cut short, and what changed meanwhile.

The promise: a reader writes every object once and whole, or names in the object's own `incomplete` what it could not
drain; nothing but ids is kept of what was written. Which kinds are read, and in which order, is `snapshot`'s choice.
"""
