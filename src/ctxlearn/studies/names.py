"""Names of studies and profiles, known without importing torch."""

STUDIES = {
    "optimal": "Figure 2: is the in-context model at least as good as the learner made for each family, and does it stay so"
    " when trained on their mixture?",
    "selection": "Figure 3: is in-context learning a choice among known algorithms, and what does it lose under shift?",
    "expressiveness": "Figure 1: can a transformer be each classical learner, and which one does a trained model become?",
    "algorithms": "which learning algorithm does a trained model run, and does it change with the tasks it is shown?",
    "curriculum": "Figure 4: does training from easy to hard tasks make in-context learning faster, or better in the end?",
    "domains": "Figure 5: does meta-learning over domains make a model adapt better to a new domain from few tasks?",
    "techniques": "do augmentation, hard-task mining, weight averaging and ensembles of tasks and learners help as they do of"
    " samples?",
    "images": "Appendix H: does an in-context model learn to read new scripts from one or five examples a character?",
    "beyond": "is in-context learning a choice among known algorithms, whatever the number of families it is trained on?",
    "architectures": "is it attention? a GRU, a selective state-space model, gated linear attention and the delta rule beside it",
    "diversity": "how many distinct training tasks turn memorising into learning?",
    "language": "which algorithm does a language model run on the examples in its prompt, and what does training on tasks make of it?",
    "tables": "real tables with few labelled rows: is the model that comes with the package better than scikit-learn's classifiers?",
}
PROFILES = {
    "smoke": "seconds: shows that everything runs; its numbers mean nothing",
    "quick": "minutes on 2 cores",
    "paper": "a GPU and hours: the paper's scale",
}
