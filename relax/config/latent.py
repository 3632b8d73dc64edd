"""``dictionary`` and ``analysis``: what is measured in a policy's hidden states, and how."""

from typing import Annotated, Literal

from pydantic import Field

from relax.settings import AtLeastOne, Count, FromZero, Positive, Settings, key


class DictionaryFit(Settings):
    """The Koopman dictionary psi(x) = sigmoid(W' x), fitted once on the initial policy's rollouts, then frozen (paper,
    section 3.2)."""

    koopman_dim: Annotated[int, Field(ge=2)] = key(50, unit="observables", paper="50 (Table 3)")
    """Number m of observables (paper 50). The demo has 16. K fits every transition of a response of m + 1 tokens,
    and DSD means little below 2 m, so keep m well under the response length. The cost of a response grows with the cube
    of m."""
    ridge: FromZero = key(0.001, paper="not stated; Eq. 5 has a pseudo-inverse")
    """Ridge that is added to the un-normalised Gram matrix. The matrix is not divided by the number of tokens. Lowering
    the ridge raises the DSD of singular values several-fold and lets a policy exploit weak directions. Every DSD is
    also logged at ridge 0.1."""
    objective: Literal["residual", "singular", "printed", "random"] = key("residual", paper="Eq. 8, unnormalised")
    """What the fit minimises; random keeps the initial W. `residual` is normalised residual DMD, `singular` follows the
    authors' code, and `printed` is Eq. 8, which rewards W -> 0 and is kept for the record."""
    position: Literal["response", "predicting", "text"] = key("response", paper="not stated")
    """Hidden states of a response: those at its tokens, those that predict them, or those at its text. The states that
    predict are one to the left (the authors' code). `text` leaves out the state at the token that ended the response:
    on SmolLM2 that state is an outlier, and DSD with it rewards ending. Training, spectra and probes follow this
    choice."""
    learning_rate: Positive = key(0.001, paper="not stated")
    """Learning rate of Adam."""
    epochs: AtLeastOne = key(1, paper="not stated")
    """Passes over the rollouts. One pass changes W little."""
    batch_size: AtLeastOne = key(64, unit="trajectories", paper="not stated")
    """Trajectories per step of the fit. K is pooled over them."""
    rollouts: Annotated[int, Field(ge=8)] = key(1024, unit="responses", paper="the first batch, 512 x 16 (text)")
    """Responses sampled from the initial policy; a quarter is held out. The part held out serves to report the
    residual. The hidden states of all responses wait in a temporary file below the output folder: 7 GB for 1,024
    responses of 1,000 tokens at width 3,584 in bfloat16."""
    probes: AtLeastOne = key(128, unit="responses")
    """Initial-policy responses whose DSD is followed along training. More responses steady the probe curves, and each
    costs a forward pass every time."""
    seed: Count = key(0, paper="not stated")
    """Seed of W and of the rollouts."""


class Analysis(Settings):
    """Responses of each final policy whose hidden states are analysed."""

    prompts: AtLeastOne = key(64, unit="prompts", paper="not stated")
    """Held-out prompts."""
    responses_per_prompt: AtLeastOne = key(4, unit="responses", paper="not stated")
    """Responses sampled for each. More responses steady the means at proportional cost."""
    seed: Count = 0
    """Seed of the sampling."""
