"""The solver of `realnet.svm` for a GPU: thousands of problems move one step at a time, together, in torch tensors.

The arithmetic and the order of the steps are the same; those that have converged leave the batch every few steps.
"""

import torch

from realnet.svm import FLATTEST, MAX_ITERATIONS

STEPS_BETWEEN_CLEARINGS = 8  # asking which problems have converged makes the processor wait for the GPU


def decide_folds(samples, lower, upper, tolerance):
    """Decisions (n_problems, n_folds, n) of linear support vector machines for all samples, left out or not.

    `samples` (n_problems, n, n_features); `lower` and `upper` (n_folds, n) are the bounds of the signed weights, as in
    `realnet.svm.fit_folds`: 0 for samples that the fold leaves out; all float64 on one device. A sample's label is +1
    where any fold lets its weight rise, and -1 elsewhere. Memory: 16 n^2 bytes a problem and about 100 n a fold.
    """
    samples, lower, upper = (
        samples.flip(1),
        lower.flip(1),
        upper.flip(1),
    )  # of equals, torch takes the first, LIBSVM the last
    labels = (upper > 0).any(dim=0).to(samples.dtype) * 2 - 1
    products = samples @ samples.mT
    norms = products.diagonal(dim1=1, dim2=2)
    gram = products.float().double()  # as in LIBSVM
    curvature = norms[:, :, None] + norms[:, None, :] - 2 * gram
    step = 1 / torch.where(curvature > 0, curvature, FLATTEST)
    decisions = _solve(gram, step, lower, upper, labels, tolerance)
    return decisions.flip(2)


def _solve(gram, step, lower, upper, labels, tolerance):
    """Run the batch (problem, fold) until nothing is left of it."""
    n_problems, n_folds, n = len(gram), *lower.shape
    decisions = gram.new_empty(n_problems * n_folds, n)
    batch = torch.arange(n_problems * n_folds, device=gram.device)
    gradient = labels.repeat(len(batch), 1)
    beta = torch.zeros_like(gradient)
    lower, upper = lower.repeat(n_problems, 1), upper.repeat(n_problems, 1)
    n_steps = 0
    while len(batch) > 0:
        problem = batch // n_folds
        for _ in range(STEPS_BETWEEN_CLEARINGS):
            runs = _move(gram, step, problem, gradient, beta, lower, upper, tolerance)
        n_steps += STEPS_BETWEEN_CLEARINGS
        runs &= n_steps < MAX_ITERATIONS
        done = ~runs
        if done.any():
            bias = _biases(gradient[done], beta[done], lower[done], upper[done])
            decisions[batch[done]] = labels - gradient[done] + bias[:, None]
            batch, gradient, beta, lower, upper = (x[runs] for x in (batch, gradient, beta, lower, upper))
    return decisions.view(n_problems, n_folds, n)


def _move(gram, step, problem, gradient, beta, lower, upper, tolerance):
    """One step of every member of the batch, in place; those that have converged stay. Returns who has not."""
    may_fall = beta > lower
    top, i = torch.where(beta < upper, gradient, -torch.inf).max(dim=1, keepdim=True)
    runs = top - torch.where(may_fall, gradient, torch.inf).amin(dim=1, keepdim=True) >= tolerance
    steps = step[problem, i[:, 0]]
    gap = (top - gradient).clamp(min=0)
    j = torch.where(may_fall, gap * gap * steps, -1).argmax(dim=1, keepdim=True)
    beta_i, beta_j, highest_i, lowest_j = beta.gather(1, i), beta.gather(1, j), upper.gather(1, i), lower.gather(1, j)
    room_i, room_j = highest_i - beta_i, beta_j - lowest_j
    move = torch.minimum(gap.gather(1, j) * steps.gather(1, j), torch.minimum(room_i, room_j))
    beta_i = torch.where(runs, torch.where(move >= room_i, highest_i, beta_i + move), beta_i)
    beta_j = torch.where(runs, torch.where(move >= room_j, lowest_j, beta_j - move), beta_j)
    beta.scatter_(1, i, beta_i)
    # a converged member may have i = j: then both values written here are the old one
    beta.scatter_(1, j, beta_j)
    gradient -= torch.where(runs, move, 0) * (gram[problem, i[:, 0]] - gram[problem, j[:, 0]])
    return runs[:, 0]


def _biases(gradient, beta, lower, upper):
    """The mean gradient of the free samples; where all weights are at a bound, the middle of the gap."""
    free = (beta > lower) & (beta < upper)
    top = torch.where(beta < upper, gradient, -torch.inf).amax(dim=1)
    low = torch.where(beta > lower, gradient, torch.inf).amin(dim=1)
    mean = torch.where(free, gradient, 0).sum(dim=1) / free.sum(dim=1).clamp(min=1)
    return torch.where(free.any(dim=1), mean, (top + low) / 2)
