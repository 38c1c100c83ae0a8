"""What bench/run measured, as a table, and as a picture."""

import statistics
from xml.sax.saxutils import escape

# The most that a time of ours may be of the rival's, by mode and figure.
TARGETS = {
    "pv": {"boot, cold": 0.6, "boot, warm": 0.4, "sha256": 0.3, "gzip": 0.3, "loop": 0.3, "fork": 0.4},
    "bare": {"boot, cold": 1.5, "boot, warm": 0.9, "sha256": 0.45, "gzip": 0.45, "loop": 0.45, "fork": 0.7},
    "pvh": {"boot, cold": 1.5, "boot, warm": 0.9},
}

# What the process may take beside the guest's memory.
MEMORY_BESIDE_MIB = 350

NAMES = {"pv": "PV, against Xen inside QEMU", "bare": "A plain PC, against QEMU", "pvh": "PVH, against QEMU"}


def rows(samples, rivals, jobs, memory_mib):
    """A row for each mode and figure: seconds of both as lists by round, summed up, the target and whether it is met."""
    found = []
    for mode, rival in rivals.items():
        cold, warm, other = samples.get(mode, []), samples.get(f"{mode}-warm", []), samples.get(rival, [])
        figures = [("boot, cold", cold, "boot"), ("boot, warm", warm, "boot")]
        figures += [(f"from the first line, {name}", taken, "boot from the first line") for name, taken in (("cold", cold), ("warm", warm))]
        figures += [(job, cold, job) for job in jobs]
        for name, taken, key in figures:
            if taken:
                mine = [s["seconds"] and s["seconds"][key] for s in taken]
                theirs = [s["seconds"] and s["seconds"][key] for s in other]
                found.append(row(mode, name, rival, mine, theirs, TARGETS[mode].get(name), "s"))
        if cold:
            mine, theirs = ([s["processor_seconds"] if s["seconds"] else None for s in taken] for taken in (cold, other))
            found.append(row(mode, "processor time, whole run", rival, mine, theirs, None, "s"))
            limit = memory_mib + MEMORY_BESIDE_MIB
            mine = [s["memory_mib"] if s["seconds"] else None for s in cold]
            found.append(row(mode, "peak memory, of its limit", "limit", mine, [limit] * len(mine), 1, "MiB"))
    return found


def row(mode, figure, rival, mine, theirs, target, unit):
    ratio = spread([a / b for a, b in zip(mine, theirs) if a is not None and b is not None])
    return {
        "mode": mode, "figure": figure, "unit": unit, "ours": spread(mine), "rival": rival, "theirs": spread(theirs), "ratio": ratio,
        "target": target, "met": ratio["median"] <= target if ratio and target else None,
    }


def spread(values):
    values = [v for v in values if v is not None]
    return {"median": statistics.median(values), "least": min(values), "most": max(values)} if values else None


def title(machine, rounds):
    """What was measured on what, in one line."""
    versions = ", ".join(f"{name} {machine[name]}" for name in ("QEMU", "Xen", "Xenolith") if name in machine)
    return (f"{machine['processor']}, {machine['processors']} processors, {machine['host']}, load {machine['load']}; {versions}, "
            f"commit {machine['commit']}; guest {machine['guest']}; {rounds} round{'s' if rounds > 1 else ''}")


# ---- The table ----


def show(found):
    form = "{:5} {:26} {:>20} {:>6} {:>20} {:>21} {:>7} {}"
    print(form.format("mode", "what", "ours", "rival", "theirs", "ratio", "target", "").rstrip())
    for r in found:
        unit = 2 if r["unit"] == "s" else 0
        verdict = {True: "met", False: "MISSED", None: ""}[r["met"]]
        target = f"{r['target']:.2f}" if r["target"] else "-"
        both = text(r["ours"], unit, r["unit"]), r["rival"], text(r["theirs"], unit, r["unit"])
        print(form.format(r["mode"], r["figure"], *both, text(r["ratio"], digits(r), ""), target, verdict).rstrip())


def digits(r):
    """So many digits of a ratio that it does not look like the target that it misses."""
    return 3 if r["met"] is False and round(r["ratio"]["median"], 2) <= r["target"] else 2


def text(s, digits, unit):
    if s is None:
        return "-"
    range_ = "" if s["least"] == s["most"] else f" ({s['least']:.{digits}f}-{s['most']:.{digits}f})"
    return f"{s['median']:.{digits}f}{range_}{' ' + unit if unit else ''}"


# ---- The picture ----

TITLE = "Time of Xenolith over time of the rival: shorter is better"
WIDTH, LEFT, RIGHT, BAR, GAP = 970, 210, 760, 16, 8
COLOURS = {True: "#2e7d5b", False: "#c4562f", None: "#8c96a3"}
MOST = 3.0


def picture(found, heading, path):
    """Ratios as bars with their spread, a mark at each target, and a line where both are equal."""
    found = [r for r in found if r["ratio"]]
    most = min(MOST, max([1.25] + [max(r["ratio"]["most"], r["target"] or 0) for r in found]) * 1.02)

    def x(ratio):
        return LEFT + (RIGHT - LEFT) * min(ratio, most) / most

    lines = [heading[:split(heading)], heading[split(heading):].strip()]
    body, y = [], 106
    for mode in dict.fromkeys(r["mode"] for r in found):
        body.append(f'<text x="16" y="{y + 4}" font-weight="bold">{escape(NAMES[mode])}</text>')
        y += 16
        for r in (r for r in found if r["mode"] == mode):
            body += bar(r, x, y)
            y += BAR + GAP
        y += 18
    bottom = y - 14
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + 58}" viewBox="0 0 {WIDTH} {bottom + 58}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#1d2430">',
        f'<rect width="{WIDTH}" height="{bottom + 58}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="18" font-weight="bold">{TITLE}</text>',
        *(f'<text x="16" y="{48 + 16 * n}" font-size="11" fill="#5b6573">{escape(line)}</text>' for n, line in enumerate(lines)),
    ]
    for n in range(int(most * 4) + 1):
        at, equal = x(n / 4), n == 4
        style = 'stroke="#5b6573" stroke-dasharray="5 3"' if equal else 'stroke="#e3e7ec"'
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="84" y2="{bottom}" {style}/>')
        if n % 2 == 0:
            label = "equal" if equal else f"{n / 4:.1f}"
            out.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle" font-size="12" fill="#5b6573">{label}</text>')
    out += body + legend(bottom + 42)
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def split(heading):
    """Where the heading is broken: at the last mark that leaves both lines short enough."""
    return heading.rfind("; ", 0, 150) + 1


def bar(r, x, y):
    ratio, middle = r["ratio"], y + BAR / 2
    base = y + BAR - 4
    verdict = "" if r["met"] is None else f"target {r['target']:.2f} {'met' if r['met'] else 'missed'}"
    out = [
        f'<text x="{LEFT - 10}" y="{base}" text-anchor="end">{escape(r["figure"])}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{x(ratio["median"]) - LEFT:.1f}" height="{BAR}" fill="{COLOURS[r["met"]]}"/>',
        *(f'<path d="M{x(a):.1f} {middle - 3}v6M{x(a):.1f} {middle}H{x(b):.1f}" stroke="#1d2430"/>'
          for a, b in ((ratio["least"], ratio["most"]), (ratio["most"], ratio["least"])) if a != b),
        f'<text x="{RIGHT + 20}" y="{base}" font-weight="bold">{ratio["median"]:.{digits(r)}f}</text>',
        f'<text x="{RIGHT + 68}" y="{base}">{verdict}</text>',
    ]
    if r["target"]:
        out.append(target(x(r["target"]), y))
    return out


def target(at, y):
    return (f'<path d="M{at:.1f} {y - 3}V{y + BAR + 3}" stroke="#ffffff" stroke-width="5"/>'
            f'<path d="M{at:.1f} {y - 3}V{y + BAR + 3}" stroke="#1d2430" stroke-width="2.5"/>')


def legend(y):
    out, at = [], LEFT
    for met, label in ((True, "target met"), (False, "target missed"), (None, "no target")):
        out += [f'<rect x="{at}" y="{y - 11}" width="14" height="12" fill="{COLOURS[met]}"/>',
                f'<text x="{at + 20}" y="{y}">{label}</text>']
        at += 128
    out += [target(at + 4, y - 13), f'<text x="{at + 14}" y="{y}">target</text>']
    out += [f'<line x1="{at + 80}" x2="{at + 110}" y1="{y - 5}" y2="{y - 5}" stroke="#1d2430"/>',
            f'<text x="{at + 118}" y="{y}">least to most of the rounds</text>']
    return out
