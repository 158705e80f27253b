"""This project's recognizer: `python -m benchmarks.ours_ner DATA EPOCHS BATCH SEED corpus=NAME …` prints a JSON line."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

import numpy as np

from runner.commands.train import make_corpus, make_pipeline, make_plan
from runner.config.compose import compose
from runner.config.resolve import resolve
from runner.corpus.batching import shuffled
from runner.training.loop import evaluate


def main(data: str, epochs: str, batch: str, seed: str, *corpus_overrides: str) -> None:
    os.environ["RUNNER_DATA_MIRROR"] = data
    group = {"words": "batch=words", "sentences": "batch=auto"}[batch]
    config = compose(["pipeline=ner", *corpus_overrides, group, f"training.max_epochs={epochs}", f"seed={seed}"])
    corpus = make_corpus(config)
    pipeline = make_pipeline(config)
    sgd = resolve(config.optimizer, "optimizers", "optimizer")
    plan = make_plan(config, pipeline)
    pipeline.initialize(lambda: corpus.train, sgd=sgd)
    words, best, training, predicting, predicted = 0, 0.0, 0.0, 0.0, 0
    n_words = np.array([len(example.predicted) for example in corpus.train])
    for epoch in range(1, plan.max_epochs + 1):
        started = time.process_time()
        for indices, _ in plan.batcher(shuffled(len(n_words), (plan.seed, epoch)), n_words, sgd.step):
            pipeline.update([corpus.train[i] for i in indices], drop=plan.dropout(sgd.step), sgd=sgd)
        training += time.process_time() - started
        words += int(n_words.sum())
        with pipeline.use_params(sgd.averages):
            started = time.process_time()
            pipeline.predict([example.predicted.copy_unannotated() for example in corpus.dev])
            predicting += time.process_time() - started
            predicted += corpus.n_dev_words
        best = max(best, evaluate(pipeline, corpus.dev, plan.score_weights, sgd, {}).score)
    print(
        json.dumps(
            {
                "train_wps": words / training,
                "predict_wps": predicted / predicting,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "best": best,
                "cpu_seconds": time.process_time(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
