"""Callbacks for training frameworks. Importing them imports no framework; using one imports that one.

    from tracker.integrations.huggingface import WattledgerCallback
    trainer = Trainer(..., callbacks=[WattledgerCallback(project="nlp")])

    from tracker.integrations.lightning import WattledgerCallback
    trainer = Trainer(callbacks=[WattledgerCallback(project="nlp")])

    from tracker.integrations.keras import WattledgerCallback
    model.fit(..., callbacks=[WattledgerCallback(project="nlp")])

Each declares the process as a run (or uses the one that it is in already, as under ``wattledger exec``), counts steps,
epochs and, where the framework knows them, tokens, and says when it trains and when it evaluates. ``run``, ``name``,
``project``, ``team`` and ``cost_centre`` are those of ``tracker.declare.declare``. Nothing in them raises into the
training, and without a daemon they do nothing.
"""
