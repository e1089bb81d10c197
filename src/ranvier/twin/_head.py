"""A head: where electrodes sit on a sphere, and what a current dipole in it does to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError

Floats = npt.NDArray[np.float64]

RADIUS = 0.09  # [m]
# Inclination from the vertex and azimuth from the right ear [degrees], the spherical 10-10 system.
_PLACES = {
    "Fp1": (-92, -72), "Fpz": (92, 90), "Fp2": (92, 72), "F7": (-92, -36), "F3": (-60, -51), "Fz": (46, 90),
    "F4": (60, 51), "F8": (92, 36), "FC3": (-50, -28), "FCz": (23, 90), "FC4": (50, 28), "T7": (-92, 0),
    "C5": (-69, 0), "C3": (-46, 0), "C1": (-23, 0), "Cz": (0, 0), "C2": (23, 0), "C4": (46, 0), "C6": (69, 0),
    "T8": (92, 0), "CP3": (-50, 28), "CPz": (23, -90), "CP4": (50, -28), "P7": (-92, 36), "P3": (-60, 51),
    "Pz": (46, -90), "P4": (60, -51), "P8": (92, -36), "PO7": (-92, 54), "PO3": (-74, 65), "POz": (69, -90),
    "PO4": (74, -65), "PO8": (92, -54), "O1": (-92, 72), "Oz": (92, -90), "O2": (92, -72), "TP9": (-115, 18),
    "TP10": (115, -18),
}  # fmt: skip
ELECTRODES = tuple(_PLACES)
# Brain, fluid, skull, skin: outer radii 0.90, 0.92, 0.97, 1.00 and 0.33, 1.0, 0.004, 0.33 S/m. Three dipoles
# in one homogeneous sphere that equal one in these four shells (Berg & Scherg 1994), fitted by MNE-Python 1.13.
_DEPTHS = (0.94506813, 0.66799741, -0.29157942)
_WEIGHTS = (0.41332073, 2.07291725, -0.03057252)  # [m/S]


def direction(electrode: str) -> Floats:
    """Return where an electrode of the 10-10 system sits, as a unit vector (x right, y front, z up)."""
    if electrode not in _PLACES:
        raise ContractError(f"The head needs electrodes of {', '.join(ELECTRODES)}; got {electrode!r}. Take one.")
    theta, phi = np.radians(_PLACES[electrode])
    return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def potentials(electrodes: Floats, places: Floats, moments: Floats) -> Floats:
    """Return the potential of dipoles in the head at electrodes on its surface [V].

    Parameters
    ----------
    electrodes
        Positions ``(n_electrodes, 3)`` [m].
    places, moments
        Of the dipoles, ``(n_dipoles, 3)`` [m], [A m]; not at the centre.

    Returns
    -------
    Shape ``(n_dipoles, n_electrodes)``.

    References
    ----------
    Mosher, Leahy, Lewis, IEEE Trans. Biomed. Eng. 46 (1999) 245, table I: homogeneous sphere.
    Berg, Scherg, Electroenceph. Clin. Neurophysiol. 90 (1994) 58: four shells by three dipoles.
    """
    r = electrodes[None]
    radius = np.linalg.norm(r, axis=-1)
    total = np.zeros((len(places), len(electrodes)))
    for depth, weight in zip(_DEPTHS, _WEIGHTS, strict=True):
        q = (places * depth)[:, None]
        d = r - q
        far = np.linalg.norm(d, axis=-1)
        along, square = (r * q).sum(-1), (q * q).sum(-1)
        c1 = (2 * (d * q).sum(-1) / far**3 + 1 / far - 1 / radius) / square
        c2 = (2 / far**3 + (far + radius) / (radius * far * (radius * far + radius**2 - along))) / square
        inward = (moments[:, None] * q).sum(-1)
        total += weight * ((c1 - c2 * along) * inward + c2 * square * (moments[:, None] * r).sum(-1))
    return total / (4 * np.pi)


def topography(place: Floats, moment: Floats, electrodes: tuple[str, ...], reference: tuple[str, ...]) -> Floats:
    """Return the pattern of dipoles over electrodes against the mean of `reference`, 1 where it is strongest.

    The strongest electrode is sought on the whole head, so that a montage that does not see a source
    does not see it.
    """
    for e in electrodes:
        direction(e)  # refuses what is not there
    everywhere = np.array([direction(e) for e in ELECTRODES]) * RADIUS
    v = potentials(everywhere, place, moment)
    v -= v[:, [ELECTRODES.index(e) for e in reference]].mean(axis=1, keepdims=True)
    v /= np.abs(v).max(axis=1, keepdims=True)
    return np.asarray(v[:, [ELECTRODES.index(e) for e in electrodes]])
