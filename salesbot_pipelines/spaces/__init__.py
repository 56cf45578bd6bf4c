"""Where published objects lie: one small protocol, a local folder and DigitalOcean Spaces behind it.

Every write of one object is whole or absent, and can be made conditional on what the writer saw.
What the objects mean, and when they are published, is not this room's business.
"""
