/**
 * Metric math as the template's alarms use it: numbers, ids of metrics, `+`, `/`, `FILL(metric, number)`, and `MAX` and
 * `MIN` of a list
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html). A missing value is null.
 */

/** @returns the value of the metric with this id; null without a value */
export type ReadValue = (id: string) => number | null

export type MathExpression = (read: ReadValue) => number | null

/** @throws Error for an expression that has anything else */
export function parseExpression(text: string): MathExpression {
  const parser = new Parser(text)
  const expression = parser.sum()
  parser.end()
  return expression
}

class Parser {
  readonly #text: string
  readonly #tokens: string[]

  constructor(text: string) {
    this.#text = text
    this.#tokens = text.match(/[A-Za-z_]\w*|\d+(?:\.\d+)?|\S/g) ?? []
  }

  sum(): MathExpression {
    let left = this.#quotient()
    while (this.#skip('+')) left = combine(left, this.#quotient(), (a, b) => a + b)
    return left
  }

  end(): void {
    if (this.#tokens.length > 0) this.#fail()
  }

  #quotient(): MathExpression {
    let left = this.#operand()
    while (this.#skip('/')) left = combine(left, this.#operand(), (a, b) => a / b)
    return left
  }

  #operand(): MathExpression {
    const token = this.#tokens.shift() ?? ''
    if (/^\d/.test(token)) return () => Number(token)
    if (token === 'FILL') return this.#fill()
    if (token === 'MAX') return this.#extreme(Math.max)
    if (token === 'MIN') return this.#extreme(Math.min)
    // Ids begin with a small letter, functions with a capital one.
    if (/^[a-z]/.test(token)) return (read) => read(token)
    return this.#fail()
  }

  #fill(): MathExpression {
    this.#expect('(')
    const value = this.sum()
    this.#expect(',')
    const replacement = this.sum()
    this.#expect(')')
    return (read) => value(read) ?? replacement(read)
  }

  /** Of the values that are not missing. */
  #extreme(choose: (...values: number[]) => number): MathExpression {
    this.#expect('(')
    this.#expect('[')
    const list = [this.sum()]
    while (this.#skip(',')) list.push(this.sum())
    this.#expect(']')
    this.#expect(')')
    return (read) => {
      const values = list.map((each) => each(read)).filter((value) => value !== null)
      return values.length === 0 ? null : choose(...values)
    }
  }

  #skip(token: string): boolean {
    if (this.#tokens[0] !== token) return false
    this.#tokens.shift()
    return true
  }

  #expect(token: string): void {
    if (!this.#skip(token)) this.#fail()
  }

  #fail(): never {
    throw new Error(`metric math ${this.#text} is not implemented by the local runner`)
  }
}

/** The result with a missing value is missing. */
const combine =
  (left: MathExpression, right: MathExpression, operate: (a: number, b: number) => number): MathExpression =>
  (read) => {
    const [a, b] = [left(read), right(read)]
    return a === null || b === null ? null : operate(a, b)
  }
