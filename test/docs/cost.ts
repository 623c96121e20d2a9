/** The section on cost in the README, from the committed recordings of test/bench/cost/ and the template. */
import { costOfMillion, total } from '../bench/cost/cost-model.ts'
import { floorOf, floorTotal } from '../bench/cost/floor-model.ts'
import { pricesAsOf } from '../bench/cost/prices.ts'
import { type Route, readIdleRecording, readIngressRates, readRecording } from '../bench/cost/recording.ts'
import { readStackFacts } from '../bench/cost/stack-facts.ts'
import { table } from './markdown.ts'

const rates = [100, 1000]

const routeNames: readonly (readonly [route: Route, name: string])[] = [
  ['smart-host', 'smart host'],
  ['mx', 'MX hosts'],
  ['ses', 'SES'],
]

/** Begin and end of the section in README.md. */
export const costMarkers = ['<!-- by `npm run docs` -->', '<!-- end -->'] as const

export function costSection(): string {
  const [stack, withMx] = [readStackFacts(), readStackFacts({ defaultRoute: 'Mx' })]
  const gathering = readStackFacts({ functions: { evaluate: { batchingWindowSeconds: 1 } } })
  const ingress = readIngressRates()
  const floor = (facts: typeof stack) => floorTotal(floorOf(facts, readIdleRecording()))
  const usd = (amount: number) => String(Math.round(amount))
  const million = (route: Route, messagesPerSecond: number) => {
    const recording = readRecording(route)
    const { messageOctets } = recording.conditions
    const costs = [stack, gathering].map((facts) =>
      total(costOfMillion({ recording, ingress, stack: facts }, { messagesPerSecond, messageOctets }).lines),
    )
    return `${costs.map(usd).join(' (')})`
  }
  return [
    `A month without mail costs ${usd(floor(stack))} USD, with NAT gateways ${usd(floor(withMx))} (list prices, ${pricesAsOf}). A million messages of 50 KB (in brackets: with \`functions.evaluate.batchingWindowSeconds\` 1):`,
    '',
    table(
      ['USD', ...rates.map((rate) => `${rate.toLocaleString('en')}/s`)],
      routeNames.map(([route, name]) => [name, ...rates.map((rate) => million(route, rate))]),
    ).trimEnd(),
  ].join('\n')
}

/** @returns the page with the section between the markers @throws Error without markers */
export function withCostSection(page: string): string {
  const [begin, end] = costMarkers
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}`)
  return `${page.slice(0, from + begin.length)}\n${costSection()}\n${page.slice(to)}`
}
