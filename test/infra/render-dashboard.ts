/**
 * Draws the synthesised dashboard with generated data, at the size of a screen of 1920 pixels: dist/dashboard.html and,
 * with Chromium, dist/dashboard.png. Titles, labels, widths and thresholds come from the template.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { dashboardWidgets } from '../support/dashboard.ts'
import { browserPath } from '../support/peers/browser.ts'
import { type Json, resourcesOfType } from '../support/synthesis.ts'

const column = 78
const row = 50
const gap = 8
/** Pixels that a browser and the console's header leave on a screen of 1080 pixels. */
const screenHeight = 900
const palette = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2', '#7f7f7f']
const found = ['northwind', 'contoso', 'fabrikam']
const points = 60

interface Series {
  label: string
  values: number[]
  isRight: boolean
}

const escapeHtml = (value: string): string => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Values between 0 and a maximum that follows from the label. */
function sample(label: string): number[] {
  const seed = [...label].reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) % 9973, 7)
  const isSmall = /dead|failed|error|refused|clear|not |hours|healthy/i.test(label)
  const max = isSmall ? 1 + (seed % 5) : 20 + (seed % 180)
  return Array.from({ length: points }, (_, index) =>
    Math.round(max * (0.6 + 0.3 * Math.sin(index / 9 + seed) + 0.1 * Math.sin(index * seed))),
  )
}

/** A metric is `[namespace, name, dimension, value, …, options]`, an expression `[options]`. */
function seriesOf(properties: Json): Series[] {
  if (properties.insightRule) return found.map((label) => ({ label, values: sample(label), isRight: false }))
  return (properties.metrics ?? []).flatMap((metric: Json[]): Series[] => {
    const options = typeof metric.at(-1) === 'object' ? metric.at(-1) : {}
    if (options.visible === false) return []
    const isMany = options.expression?.includes('SEARCH(') && !options.expression.startsWith('SUM(')
    const label = options.label ?? (options.expression ? '' : String(metric[1]))
    const labels = isMany ? found.map((name) => `${label} ${name}`.trim()) : [label]
    return labels.map((each) => ({ label: each, values: sample(each), isRight: options.yAxis === 'right' }))
  })
}

function graph(properties: Json, width: number, height: number): string {
  const series = seriesOf(properties)
  const limits: Json[] = properties.annotations?.horizontal ?? []
  const isStacked = properties.stacked === true || properties.insightRule !== undefined
  const stacks = isStacked ? stack(series) : series.map(({ values }) => values)
  const chartHeight = height - 20 - 17 * Math.ceil((series.length * 130) / width)
  const maxOf = (isRight: boolean) =>
    Math.max(
      1,
      properties.yAxis?.left?.max ?? 0,
      ...(isRight ? [] : limits.map(({ value }) => value)),
      ...stacks.filter((_, index) => series[index]?.isRight === isRight).flat(),
    )
  const maxima = { left: maxOf(false), right: maxOf(true) }
  const y = (value: number, max: number) => chartHeight - (value / max) * (chartHeight - 12)
  const paths = stacks.map((values, index) => {
    const max = series[index]?.isRight ? maxima.right : maxima.left
    const line = values.map((value, at) => `${36 + (at * (width - 72)) / (points - 1)},${y(value, max)}`)
    const area = isStacked ? ` ${width - 36},${chartHeight} 36,${chartHeight}` : ''
    const colour = palette[index % palette.length]
    return `<polyline points="${line.join(' ')}${area}" fill="${isStacked ? colour : 'none'}" stroke="${colour}" stroke-width="1.5"/>`
  })
  const lines = limits.map(({ value, label }) => {
    const at = y(value, maxima.left)
    return `<line x1="36" x2="${width - 36}" y1="${at}" y2="${at}" stroke="#d62728" stroke-dasharray="4"/><text x="${width - 40}" y="${at - 3}" text-anchor="end">${escapeHtml(label)}</text>`
  })
  const right = series.some(({ isRight }) => isRight)
    ? `<text x="${width - 32}" y="14">${maxima.right}</text>`
    : ''
  const legend = series.map(
    ({ label }, index) =>
      `<span><b style="background:${palette[index % palette.length]}"></b>${escapeHtml(label)}</span>`,
  )
  return `<svg width="${width}" height="${chartHeight}"><text x="2" y="14">${maxima.left}</text>${right}${paths.reverse().join('')}${lines.join('')}</svg><div class="legend">${legend.join('')}</div>`
}

/** Adds to each series the ones before it. */
function stack(series: readonly Series[]): number[][] {
  let below: number[] = Array(points).fill(0)
  return series.map(({ values }) => {
    below = below.map((base, index) => base + (values[index] ?? 0))
    return below
  })
}

function numbers(properties: Json, width: number): string {
  const cells = seriesOf(properties).map(({ label, values }, _, all) => {
    const cellWidth = Math.floor(width / all.length)
    const max = Math.max(1, ...values)
    const line = values.map(
      (value, at) => `${(at * (cellWidth - 16)) / (points - 1)},${40 - (value / max) * 36}`,
    )
    const sparkline = properties.sparkline
      ? `<svg width="${cellWidth - 16}" height="42"><polyline points="${line.join(' ')}" fill="none" stroke="#1f77b4"/></svg>`
      : ''
    return `<div class="number"><strong>${values.at(-1)}</strong><span>${escapeHtml(label)}</span>${sparkline}</div>`
  })
  return `<div class="numbers">${cells.join('')}</div>`
}

function rows(properties: Json): string {
  const lines = seriesOf(properties).map(({ label, values }, index) => {
    const value = [2, 17, 190][index] ?? values.at(-1) ?? 0
    return `<tr><td>${escapeHtml(label)}</td><td style="color:${thresholdColour(properties, value)}">${value}</td></tr>`
  })
  return `<table>${lines.join('')}</table>`
}

/** A threshold is an annotation with a bound, or with two: the lower and the upper one. */
function thresholdColour(properties: Json, value: number): string {
  const bounds: Json[] = (properties.annotations?.horizontal ?? []).map((bound: Json) => [bound].flat())
  const match = bounds.find(([low, high]) =>
    high
      ? value >= low.value && value < high.value
      : low.fill === 'below'
        ? value < low.value
        : value >= low.value,
  )
  return match?.[0].color ?? '#16191f'
}

/** An alarm's ARN is its logical id here. */
function alarms({ alarms: arns }: Json): string {
  const names = new Map(
    resourcesOfType('AWS::CloudWatch::Alarm').map(({ id, Properties }) => [id, Properties.AlarmName]),
  )
  const tiles = arns.map(
    (arn: string, index: number) =>
      `<div class="${index < 2 ? 'alarm red' : 'alarm'}">${escapeHtml(names.get(arn) ?? arn)}</div>`,
  )
  return `<div class="alarms">${tiles.join('')}</div>`
}

function content({ type, width, height, properties }: Json): string {
  if (type === 'text')
    return `<div class="text">${properties.markdown.replaceAll(/\*\*(.*?)\*\*/g, '<b>$1</b>').replace(/^## (.*)/, '<h2>$1</h2>')}</div>`
  if (type === 'alarm') return alarms(properties)
  const [inside, below] = [width * column - gap - 12, height * row - gap - 30]
  if (properties.view === 'singleValue') return numbers(properties, inside)
  if (properties.view === 'table') return rows(properties)
  return graph(properties, inside, below)
}

function box(widget: Json): string {
  const { x, y, width, height, properties } = widget
  const title = properties.title ? `<div class="title">${escapeHtml(properties.title)}</div>` : ''
  return `<div class="widget" style="left:${x * column}px;top:${y * row}px;width:${width * column - gap}px;height:${height * row - gap}px">${title}${content(widget)}</div>`
}

const style = `body{margin:0;font:12px Arial;background:#f2f3f3;color:#16191f}.widget{position:absolute;background:#fff;border:1px solid #d5dbdb;box-sizing:border-box;overflow:hidden;padding:4px 6px}.title{font-weight:bold;font-size:14px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;height:20px}.legend{display:flex;flex-wrap:wrap;gap:2px 10px}.legend span{white-space:nowrap}.legend b{display:inline-block;width:9px;height:9px;margin-right:4px}.numbers{display:flex}.number{flex:1;display:flex;flex-direction:column;overflow:hidden}.number strong{font-size:30px}.number span{color:#545b64}.alarms{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:4px}.alarm{border:1px solid #1d8102;border-left-width:5px;padding:5px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}.red{border-color:#d13212;background:#fdf3f1;font-weight:bold}.text{font-size:14px;line-height:20px}h2{margin:0;font-size:18px}table{width:100%;font-size:13px}td+td{text-align:right;font-weight:bold}svg text{font-size:10px;fill:#545b64}`

const widgets = dashboardWidgets()
const height = Math.max(...widgets.map((widget: Json) => (widget.y + widget.height) * row))
const fold = `<div style="position:absolute;top:${screenHeight}px;width:100%;border-top:2px dashed #d13212;text-align:right;color:#d13212">end of the first screen</div>`
mkdirSync('dist', { recursive: true })
writeFileSync(
  'dist/dashboard.html',
  `<!doctype html><meta charset="utf-8"><style>${style}</style><body style="height:${height}px">${widgets.map(box).join('')}${fold}`,
)
if (existsSync(browserPath)) {
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu'],
  })
  const page = await browser.newPage({ viewport: { width: 24 * column, height } })
  await page.goto(`file://${process.cwd()}/dist/dashboard.html`)
  await page.screenshot({ path: 'dist/dashboard.png' })
  await browser.close()
}
