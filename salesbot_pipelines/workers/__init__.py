"""A second process for the parts of one shop's refresh that only reckon.

Python reckons on one core at a time; a large catalogue has work for two. What is shared is a plain function over
independent items, so that it makes no difference who does an item. What the items are does not belong here.
"""
