# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report looks: system fonts, light and dark, wide and narrow, on paper."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --soft: #5b6675; --line: #dfe3e9;
  --faint: #eef1f4; --good: #1a7f4b; --good-soft: #e3f4ea; --bad: #c22f3d; --bad-soft: #fbe6e8; --unsure: #9a6200;
  --unsure-soft: #fcf0d9; --baseline: #8a94a3; --old: #2f6fdb; --new: #e07a10; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1a2029; --ink: #e7ebf1; --soft: #9aa6b5; --line: #2d3642; --faint: #232b36;
  --good: #4fc486; --good-soft: #173326; --bad: #ff7b86; --bad-soft: #3d1c22; --unsure: #f0b95a;
  --unsure-soft: #382a12; --baseline: #98a3b3; --old: #6ea4ff; --new: #ffa347; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 56px; }
h1 { font-size: 25px; line-height: 1.25; margin: 0; font-weight: 650; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 2px; font-weight: 650; }
p { margin: 0; }
.soft { color: var(--soft); }
.small { font-size: 13px; }
section, .banner { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px;
  margin-top: 16px; }
.banner { display: grid; grid-template-columns: auto 1fr; gap: 4px 18px; align-items: center;
  border-left: 6px solid var(--tone); }
.banner .mark { width: 52px; height: 52px; border-radius: 50%; font-size: 27px; }
.good { --tone: var(--good); --tone-soft: var(--good-soft); }
.bad { --tone: var(--bad); --tone-soft: var(--bad-soft); }
.quiet { --tone: var(--soft); --tone-soft: var(--faint); }
.unsure { --tone: var(--unsure); --tone-soft: var(--unsure-soft); }
.mark { display: inline-grid; place-items: center; background: var(--tone-soft); color: var(--tone); font-weight: 700; }
.pill { display: inline-block; background: var(--tone-soft); color: var(--tone); border-radius: 99px;
  padding: 1px 10px; font-size: 12.5px; font-weight: 600; white-space: nowrap; }
.banner ul { margin: 6px 0 2px; padding-left: 19px; }
.banner li { margin: 1px 0; overflow-wrap: anywhere; }
a { color: var(--old); }
.notes { margin: 0; padding-left: 19px; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 22px; margin-top: 6px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 12px; margin-top: 16px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 13px 16px; }
.tile b { display: block; font-size: 23px; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 16px; margin-bottom: 12px;
  align-items: baseline; }
.row { display: grid; grid-template-columns: minmax(170px, 1.25fr) 2fr minmax(185px, .95fr) 124px; gap: 4px 16px;
  align-items: center; padding: 8px 0; border-top: 1px solid var(--faint); }
.row .pill { justify-self: end; }
.row .why { grid-column: 1 / -1; color: var(--soft); font-size: 13.5px; }
.name { font-weight: 550; overflow-wrap: anywhere; }
.value { font-variant-numeric: tabular-nums; white-space: nowrap; }
.value b { font-weight: 650; }
svg { display: block; width: 100%; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.axis { color: var(--soft); font-size: 12px; border-top: 0; padding: 0 0 2px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 22px 26px; }
figure { margin: 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 10px; margin-bottom: 4px;
  align-items: baseline; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: var(--soft); }
.legend i { display: inline-block; width: 18px; height: 0; border-top: 3px solid; border-radius: 2px;
  vertical-align: middle; margin-right: 6px; }
.check { border-top: 1px solid var(--faint); padding: 10px 0; display: grid; grid-template-columns: 24px 1fr;
  gap: 2px 12px; }
.check .mark { width: 22px; height: 22px; border-radius: 50%; font-size: 12px; margin-top: 1px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 12px; margin: 4px 0 0; font-size: 14px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--faint); border-radius: 8px; padding: 10px 12px; margin: 8px 0 0; overflow-x: auto;
  font: 12.5px/1.45 ui-monospace, Menlo, monospace; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 320px;
  overflow-y: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 550; color: var(--soft); font-size: 13px; }
td, th { padding: 6px 14px 6px 0; border-top: 1px solid var(--faint); vertical-align: top; overflow-wrap: anywhere; }
thead th { border-top: 0; }
code { font: 13px ui-monospace, Menlo, monospace; }
details summary { cursor: pointer; color: var(--soft); font-size: 14px; }
details[open] summary { margin-bottom: 6px; }
.bars { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 10px 16px; align-items: center; }
.bar { display: flex; align-items: center; gap: 8px; font-size: 12.5px; height: 17px;
  font-variant-numeric: tabular-nums; color: var(--soft); }
.bar i { height: 11px; border-radius: 2px 4px 4px 2px; min-width: 2px; }
.steps { display: grid; grid-template-columns: max-content minmax(100px, 1fr) max-content; gap: 5px 14px;
  align-items: center; font-size: 14px; }
.track { background: var(--faint); border-radius: 4px; height: 12px; position: relative; }
.track i { position: absolute; top: 0; bottom: 0; border-radius: 4px; min-width: 3px;
  background: var(--tone, var(--old)); }
section > .note:empty { display: none; }
.note { margin-top: 10px; }
footer { color: var(--soft); font-size: 13px; margin-top: 20px; }
@media (max-width: 720px) {
  main { padding: 14px 12px 40px; }
  section, .banner { padding: 16px; }
  h1 { font-size: 20px; }
  .banner { gap: 4px 12px; }
  .banner { align-items: start; }
  .banner .mark { width: 36px; height: 36px; font-size: 18px; }
  .row { grid-template-columns: 1fr max-content; }
  .row .plot { grid-column: 1 / -1; grid-row: 3; }
  .row .value { grid-column: 1; grid-row: 2; }
  .row .pill { grid-column: 2; grid-row: 1; }
  .row .why { grid-row: 4; }
  .axis .plot { grid-row: 1; }
  .axis .value, .axis .name, .axis span { display: none; }
  .charts { grid-template-columns: 1fr; }
  .tiles { grid-template-columns: 1fr 1fr; }
}
@media print {
  body { background: none; }
  section, .banner, .tile, figure { break-inside: avoid; }
  details > * { display: block; }
}
"""
