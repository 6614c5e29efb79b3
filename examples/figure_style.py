"""The look of the figures: a column of a journal wide, in colors that all readers can tell apart."""

#: Blue, vermilion, green, grey (M. Okabe and K. Ito, Color Universal Design, 2008).
COLORS = ("#0072b2", "#d55e00", "#009e73", "#7f7f7f")

#: For `pyplot.rc_context`.
figure_style = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.dpi": 150,
    "font.size": 9.0,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 2.5,
}
