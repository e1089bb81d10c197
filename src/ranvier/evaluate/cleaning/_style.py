"""The style sheet of a report: light and dark, on paper too; colours that everybody can tell apart (Okabe & Ito)."""

STYLE = """
:root{--ink:#1a1f24;--soft:#5b6670;--line:#d8dde2;--back:#fff;--panel:#f6f7f9;--before:#c8761a;--after:#0b64a8;
--good:#0b64a8;--some:#e0b000;--bad:#c2410c;--twice:#8a6fb3;--mask:#8895a1}
@media (prefers-color-scheme:dark){:root{--ink:#e7eaed;--soft:#9aa5b0;--line:#343c44;--back:#14181c;--panel:#1c2126;
--before:#f0a350;--after:#62b5ee;--good:#62b5ee;--some:#f0d050;--bad:#ff8050;--twice:#b9a0e0;--mask:#6b7783}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color:var(--ink);background:var(--back);
margin:0 auto;max-width:1000px;padding:32px 30px 60px}
h1{font-size:25px;margin:0 0 2px;font-weight:650;overflow-wrap:anywhere}
h2{font-size:17px;margin:42px 0 10px;padding-top:12px;border-top:1px solid var(--line);font-weight:650}
h3{font-size:14px;margin:22px 0 4px;font-weight:650}
.sub,.note{color:var(--soft);font-size:13px}.note{margin:4px 0 10px}
.summary{font-size:19px;line-height:1.42;margin:18px 0 20px;padding:14px 18px;background:var(--panel);border-left:4px solid var(--after);
border-radius:3px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:0 0 8px}
.figures div{background:var(--panel);border-radius:4px;padding:10px 12px}
.figures b{display:block;font-size:20px;font-weight:600;line-height:1.25}.figures span{color:var(--soft);font-size:12.5px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1px solid var(--line);padding:5px 8px;vertical-align:bottom}
td{border-bottom:1px solid var(--line);padding:5px 8px;vertical-align:top;overflow-wrap:anywhere}
.dense table{font-size:12.5px}.dense td,.dense th{padding:3px 6px}td.w{white-space:nowrap;overflow-wrap:normal}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal}
.level{white-space:nowrap;font-weight:600}.level i{display:inline-block;width:1.35em;font-style:normal}
.l-fault{color:var(--bad)}.l-good{color:var(--good)}.l-note,.l-unknown{color:var(--soft)}
ol.steps{list-style:none;padding:0;margin:0;counter-reset:s}
ol.steps li{counter-increment:s;position:relative;padding:8px 12px 8px 46px;border:1px solid var(--line);border-radius:4px;margin:0 0 6px}
ol.steps li:before{content:counter(s);position:absolute;left:12px;top:9px;width:22px;height:22px;border-radius:50%;background:var(--after);
color:var(--back);text-align:center;font-size:12.5px;line-height:22px;font-weight:600}
.cost{float:right;color:var(--soft);font-size:12.5px;margin-left:12px}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:12.5px}
pre{background:var(--panel);padding:12px 14px;border-radius:4px;white-space:pre-wrap;overflow-wrap:anywhere}
svg{display:block;max-width:100%;height:auto;margin:6px 0;font:11px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg text{fill:var(--soft)}svg .label{font-size:12px}svg .strong{fill:var(--ink);font-weight:600;font-size:12px}svg .tiny{font-size:9px;paint-order:stroke;stroke:var(--back);stroke-width:2.5px}
.frame{fill:none;stroke:var(--line)}.grid{stroke:var(--line);stroke-width:.6}.bar{stroke:var(--ink);stroke-width:2}
path.before{stroke:var(--before);stroke-width:.9}path.after{stroke:var(--after);stroke-width:.9}path.thick{stroke-width:1.8}
.before-range{fill:var(--before);opacity:.16}.after-range{fill:var(--after);opacity:.16}
.mask{fill:var(--mask);opacity:.22}.shown{fill:var(--mask);opacity:.25}
rect.bad,.m-bad{fill:var(--bad)}rect.suspect{fill:var(--some)}.m-some{fill:var(--some)}.m-twice{fill:var(--twice)}
.m-good{fill:none;stroke:var(--good);stroke-width:1.8}.m-cross{stroke:var(--back);stroke-width:1.5}.head{fill:none;stroke:var(--soft);stroke-width:1.2;opacity:.6}
.key{display:inline-block;width:22px;height:0;border-top:3px solid;vertical-align:middle;margin:0 5px 0 12px}
.key.b{border-color:var(--before)}.key.a{border-color:var(--after)}.key.m{height:11px;border:0;background:var(--mask);opacity:.4}
.key.x{height:11px;border:0;background:var(--bad)}.key.s{height:7px;border:0;background:var(--some)}
.two{display:flex;flex-wrap:wrap;gap:8px 28px;align-items:flex-start}.two>div{flex:1 1 380px;min-width:0}
details{margin:12px 0}summary{cursor:pointer;font-weight:600}
footer{margin-top:46px;border-top:1px solid var(--line);padding-top:10px;color:var(--soft);font-size:12px;overflow-wrap:anywhere}
@media print{:root{--ink:#000;--soft:#444;--line:#ccc;--back:#fff;--panel:#f4f4f4;--before:#c8761a;--after:#0b64a8;--good:#0b64a8;
--some:#e0b000;--bad:#c2410c;--twice:#8a6fb3;--mask:#8895a1}body{max-width:none;padding:0;font-size:11pt}h2{break-after:avoid}
svg,li,tr,.figures{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
