"""Names that other tools use for keys, choices and commands of this one, each with the way to write the same here.

    >>> key_here("lr", "0.01")
    'optimizer.learn_rate=0.01'
    >>> option_here("pipeline", "Entities")
    'ner'

Nothing here makes another name work: the tables only improve the messages about unknown names. A name counts in any case, with
`-` or `.` for `_`, and with or without the section before it: `--learning-rate`, `training.epochs`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

VALUE = "VALUE"  # what stands for the value in a table

# The words to write here → the names of the key elsewhere.
KEYS: Mapping[str, str] = {
    "optimizer.learn_rate=VALUE": "lr learning_rate learnrate alpha eta step_size base_lr initial_lr init_lr max_lr",
    "optimizer.L2=VALUE": "weight_decay decay_rate wd l2 l2_penalty l2_reg regularization",
    "optimizer.grad_clip=VALUE": "clip clip_grad clip_norm max_grad_norm gradient_clip gradient_clip_val grad_norm_clip",
    "optimizer.beta1=VALUE": "b1 beta_1 adam_beta1 optimizer_b1",
    "optimizer.beta2=VALUE": "b2 beta_2 adam_beta2 optimizer_b2",
    "optimizer.eps=VALUE": "epsilon adam_epsilon optimizer_eps",
    "optimizer.use_averages=VALUE": "ema averages averaging use_ema swa",
    "optimizer.learn_rate={type: warmup_linear, initial_rate: 0.002, warmup_steps: VALUE, total_steps: auto}": "warmup "
    "warmup_steps num_warmup_steps n_warmup",
    "optimizer=VALUE": "optim opt optimiser",
    "training.max_epochs=VALUE": "n epoch epochs n_epoch n_epochs num_epochs nb_epoch num_train_epochs max_epoch total_epochs "
    "n_iter n_iters niter num_iter iterations itn passes",
    "training.max_steps=VALUE": "steps n_steps num_steps max_iter max_iters train_steps total_steps max_updates",
    "training.patience=VALUE": "early_stopping early_stop early_stopping_patience early_stopping_rounds",
    "training.eval_every=VALUE": "eval_frequency eval_freq eval_steps eval_interval evaluate_every val_check_interval",
    "batch=sentences batch.size=VALUE": "batch_size batchsize bs per_device_train_batch_size train_batch_size minibatch",
    "dropout=constant dropout.value=VALUE": "dropout dropout_rate dropout_p dropout_prob drop drop_rate p_drop",
    "dropout.start=VALUE": "dropout_from",
    "dropout.stop=VALUE": "dropout_to",
    "tok2vec.width=VALUE": "hidden_size hidden_dim embed_dim embedding_dim d_model token_vector_width emb_dim dim",
    "tok2vec.depth=VALUE": "layers n_layers num_layers num_hidden_layers n_layer conv_depth",
    "tok2vec=VALUE": "encoder embedder embedding embeddings backbone",
    "vectors=file vectors.path=VALUE": "init_vectors word_vectors vectors_file pretrained_vectors",
    "seed=VALUE": "random_seed random_state seed_everything manual_seed rng_seed",
    "repeat=VALUE": "n_repeats n_runs runs num_seeds n_seeds seeds repeats",
    "output_dir=VALUE": "o out output output_path output_folder outdir out_dir save_dir save_path dest target_dir run_dir logdir",
    "resume=VALUE": "checkpoint resume_from resume_from_checkpoint ckpt ckpt_path load_from",
    "resume=auto": "continue resume_training",
    "pipeline=VALUE": "p task pipe pipes pipelines component components head heads architecture",
    "pipeline.lang=VALUE": "lang language locale",
    "corpus=VALUE": "dataset dataset_name data_set corpora",
    "corpus.train=VALUE": "train data input input_file train_data train_path train_file train_set training_data training_file "
    "data_path data_file trainset paths_train",
    "corpus.dev=VALUE": "dev valid val validation dev_data dev_path dev_file val_data val_file valid_file validation_data "
    "validation_file eval_data eval_file devset paths_dev",
    "corpus.test=VALUE": "test test_data test_path test_file test_set testset eval_test",
    "corpus.limit=VALUE": "limit n_examples num_examples max_examples max_samples max_train_samples n_texts",
    "corpus.dev=null corpus.folds=VALUE": "folds cv kfold k_fold k_folds n_folds n_splits cross_validation",
    "experiment=VALUE": "preset recipe exp",
    "init.model=VALUE": "model pretrained pretrained_model model_path model_name base_model from_pretrained init_model source "
    "model_name_or_path load weights finetune_from",
    "init.tok2vec=VALUE": "init_tok2vec pretrained_tok2vec t2v",
    "teacher=itself": "rehearse rehearsal",
    "tracking.run_name=VALUE": "name run_name",
    "tracking.experiment=VALUE": "experiment_name project project_name wandb_project mlflow_experiment",
    "tracking.uri=VALUE": "tracking_uri mlflow_uri mlflow_tracking_uri backend_store_uri server",
    "tracking=VALUE": "tracker logger loggers report_to log_to",
    "tracking=none": "mlflow wandb no_mlflow no_tracking",
    "compute.threads=VALUE": "threads n_threads num_threads omp_num_threads blas_threads",
    "-m hydra/launcher=joblib hydra.launcher.n_jobs=VALUE": "n_jobs jobs num_workers workers n_workers parallel max_workers",
    "-m hydra/sweeper=optuna hydra.sweeper.n_trials=VALUE": "n_trials trials num_trials num_samples",
    "code=[VALUE]": "c code_file imports plugin plugins import",
    "training=debug": "debug fast_dev_run dry_run smoke smoke_test",
}

# Names of keys that have no counterpart → the fact that explains it, and the next move.
_NO_GPU = "a run computes on the CPU", "Leave it out; compute=numba trains faster than the default."
NO_KEY: Mapping[tuple[str, str], str] = {
    _NO_GPU: "gpu gpus gpu_id gpu_ids use_gpu n_gpu cuda use_cuda device devices accelerator g no_cuda",
    (
        "all numbers are float32",
        "Leave it out.",
    ): "fp16 bf16 amp mixed_precision precision use_amp half",
    ("the table is the log", "Leave it out."): "verbose verbosity v vv quiet q silent log_level logging progress_bar V",
    (
        "no optimizer here has momentum as a key",
        "Leave it out; optimizer=adam has moments: optimizer.beta1=0.9.",
    ): "momentum nesterov",
}

# Group → the name of a choice here → its names elsewhere.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "pipeline": {
        "ner": "ent ents entity entities named_entities entity_recognizer named_entity_recognition",
        "tagger": "tag tags pos pos_tagger postag morphologizer part_of_speech xpos upos token_classification",
        "parser": "dep deps dependency dependencies dependency_parser depparse syntax trees arcs",
        "textcat": "cat cats classifier classification text_classification text_classifier sentiment textcat_multilabel "
        "spancat doc_classification",
        "full": "all everything joint multitask",
        "intent": "intents chat slots",
    },
    "optimizer": {"adam": "adamw adamax nadam adam_w adamw_torch lamb", "radam": "rectified_adam", "sgd": "gd vanilla"},
    "tracking": {
        "none": "off no null false disabled console stdout print",
        "mlflow": "wandb tensorboard comet neptune on true tb aim clearml weights_and_biases",
    },
    "compute": {"numba": "jit fast compiled", "cpu": "numpy default blis"},
    "corpus": {
        "sample": "example examples demo toy bundled default",
        "files": "file own mine custom path paths data local jsonl iob conll json spacy",
        "wnut17": "wnut wnut_17 wnut2017 emerging_entities",
        "ud_english_ewt": "ewt ud en_ewt ud_ewt universal_dependencies treebank",
        "movie_reviews": "imdb reviews movies",
    },
    "tok2vec": {
        "encoder": "bert transformer transformers roberta minilm distilbert all_minilm_l6_v2 electra",
        "hash_embed_cnn": "cnn default hashembedcnn hash_embed maxout",
    },
    "vectors": {
        "file": "glove word2vec fasttext w2v vec static",
        "minilm": "bert encoder",
        "none": "off no null false",
    },
    "batch": {
        "sentences": "fixed constant examples docs texts by_sentences",
        "growing": "compounding",
        "words": "tokens",
    },
    "dropout": {"constant": "fixed", "decaying": "decay linear"},
    "augmenters": {"none": "off no null false"},
    "teacher": {"none": "off no null false", "itself": "self rehearsal rehearse self_training"},
}

# Groups whose number is meant for a key of theirs → the words to write.
NUMBERS: Mapping[str, str] = {
    "batch": "batch=sentences batch.size=VALUE",
    "dropout": "dropout=constant dropout.value=VALUE",
    "training": "training.max_epochs=VALUE",
}

# What to write, behind `python -m runner` unless it is a program of its own → names of the command elsewhere.
COMMANDS: Mapping[str, str] = {
    "--help": "help man usage commands h",
    "--version": "version",
    "--cfg job": "config configs cfg settings show_config print_config keys params init_config fill_config",
    "train": "fit run start learn finetune fine_tune update training",
    "evaluate MODEL DATA": "eval test score accuracy validate benchmark evaluation",
    "predict MODEL texts.txt -o out.jsonl": "infer inference apply annotate pred prediction parse analyze label process",
    "debug": "debug_data debug_config check doctor dry_run profile stats inspect data",
    "threshold MODEL DATA": "find_threshold thresholds calibrate",
    "bootstrap TEXTS --patterns P": "rules patterns matcher entity_ruler weak_labels",
    "package MODEL dist": "build wheel pack dist publish",
    "export MODEL out --to spacy": "save to_spacy spacy",
    "compare RUN RUN": "diff comparison",
    "convert IN OUT": "conv transform import_data",
    "vectors train texts.txt -o V": "word2vec fasttext init_vectors embed",
    "info": "env environment about",
    "-m optimizer.learn_rate=0.001,0.002": "sweep grid multirun gridsearch grid_search",
    "-m hydra/sweeper=optuna 'optimizer.learn_rate=tag(log,interval(1e-4,1e-2))'": "tune search optimize hpo hyperopt optuna "
    "hyperparameter_search",
    "resume=auto": "resume continue",
    "mlflow ui --backend-store-uri sqlite:///mlflow.db": "ui dashboard board show view",
    "mlflow models serve -m models:/NAME/latest": "serve server api deploy",
    "init.model=MODEL teacher=itself corpus.train=FILE corpus.dev=FILE": "retrain teach",
}

_SECTIONS = ("training_optimizer", "paths", "nlp", "training", "optimizer", "batch", "dropout", "corpus", "tracking", "tok2vec",
             "pipeline", "compute", "model", "data", "trainer", "system", "initialize", "train", "experiment")  # fmt: skip


def normal(name: str) -> str:
    """The name as the tables spell it.

    >>> normal("--Learning-Rate")
    'learning_rate'
    """
    return name.strip("-+~ ").replace("-", "_").replace(".", "_").replace(" ", "_").lower()


def key_here(name: str, value: str) -> str | None:
    """The overrides that say here what `name=value` says elsewhere; None for a name that no table has.

    A choice is translated too. "VALUE" for an unknown value.

    >>> key_here("training.epochs", "3"), key_here("model", "entities"), key_here("colour", "red")
    ('training.max_epochs=3', 'pipeline=ner', None)
    """
    template = next((_BY_KEY[one] for one in _names(name) if one in _BY_KEY), None)
    if template is None:
        return None
    key = template.partition("=")[0]
    if key == "init.model" and (choice := choice_of("pipeline", value)) is not None:
        return f"pipeline={choice}"
    if key == "pipeline" and "," in value:
        names = value.strip("[] ").split(",")
        value = f"[{','.join(choice_of('pipeline', name) or name for name in names)}]"
    if template.endswith(f"{key}={VALUE}") and (choice := option_here(key, value)) is not None:
        value = choice
    return template.replace(VALUE, value or VALUE)


def argument_here(name: str) -> str | None:
    """The last part of the key here that is called `name` elsewhere; None for a name that no table has.

    >>> argument_here("lr")
    'learn_rate'
    """
    here = key_here(name, VALUE)
    return here.split(" ")[-1].partition("=")[0].rpartition(".")[2] if here is not None and "{" not in here else None


def no_key(name: str) -> tuple[str, str] | None:
    """(fact, next move) for the name of a key that has no counterpart here; None for any other name."""
    return next((_WITHOUT[one] for one in _names(name) if one in _WITHOUT), None)


def option_here(group: str, name: str) -> str | None:
    """The choice of the group that is called `name` elsewhere; None for a name that no table has, or of here."""
    return _BY_OPTION.get((group, normal(name)))


def choice_of(group: str, name: str) -> str | None:
    """The choice of the group that `name` is, here or elsewhere; None if it is neither.

    >>> choice_of("pipeline", "ner"), choice_of("pipeline", "deps"), choice_of("pipeline", "en_core_web_sm")
    ('ner', 'parser', None)
    """
    return normal(name) if normal(name) in OPTIONS.get(group, ()) else option_here(group, name)


def is_model_of_spacy(name: str) -> bool:
    """Whether a name is made like those of spaCy's trained pipelines: en_core_web_sm."""
    return re.fullmatch(r"[a-z]{2,3}_(core|dep|ent|sent)_(web|news|wiki|bnc)_(sm|md|lg|trf)", name) is not None


def command_here(name: str) -> str | None:
    """The line to write for a command that is called `name` elsewhere; None for any other name."""
    line = _BY_COMMAND.get(normal(name))
    return line if line is None or line.startswith("mlflow ") else f"python -m runner {line}"


def _names(name: str) -> list[str]:
    """The normal name, with and without its section."""
    whole = normal(name)
    return [whole, *(whole.removeprefix(f"{section}_") for section in _SECTIONS if whole.startswith(f"{section}_"))]


_BY_KEY = {name: words for words, names in KEYS.items() for name in names.split()}
_WITHOUT = {normal(name): answer for answer, names in NO_KEY.items() for name in names.split()}
_BY_OPTION = {
    (group, name): here for group, table in OPTIONS.items() for here, names in table.items() for name in names.split()
}
_BY_COMMAND = {name: words for words, names in COMMANDS.items() for name in names.split()}
