"""Figure 5: does meta-learning over domains make an in-context model adapt better to a new domain from few tasks?

Refuted by: in-context learning that was given the same compute, and is then fine-tuned as well as its validation domains
allow, being as good on new domains from 64 tasks each.
"""

from ctxlearn.studies.domains.study import STUDY, DomainsStudy

__all__ = ["STUDY", "DomainsStudy"]
