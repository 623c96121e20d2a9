/**
 * One DynamoDB table in memory. It supports the requests of the writers of the messages table, and throws for others.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'

export type Item = Record<string, unknown>

/** A command of the document client. */
export interface Command {
  constructor: { name: string }
  input: Input
}

export interface Input {
  Item?: Item
  Key?: Item
  ConditionExpression?: string
  KeyConditionExpression?: string
  UpdateExpression?: string
  ReturnValues?: string
  ExpressionAttributeNames?: Record<string, string>
  ExpressionAttributeValues?: Record<string, unknown>
  RequestItems?: Record<string, { Keys: Item[] }>
}

export const operation = (command: Command): string => command.constructor.name

export class MemoryTable {
  readonly #items = new Map<string, Item>()

  send(command: Command): unknown {
    const { input } = command
    switch (operation(command)) {
      case 'GetCommand':
        return { Item: this.#items.get(keyOf(input.Key)) }
      case 'BatchGetCommand':
        return this.#batchGet(input)
      case 'QueryCommand':
        return this.#query(input)
      case 'PutCommand':
        return this.#write(input, input.Item, () => ({ ...input.Item }))
      case 'UpdateCommand':
        return this.#write(input, input.Key, (before) => updated({ ...before, ...input.Key }, input))
      default:
        return fail(`this table does not support ${operation(command)}`)
    }
  }

  get items(): Iterable<Item> {
    return this.#items.values()
  }

  item(key: Item | undefined): Item | undefined {
    return this.#items.get(keyOf(key))
  }

  #batchGet({ RequestItems = {} }: Input): unknown {
    const matching = Object.entries(RequestItems).map(([table, { Keys }]) => [
      table,
      Keys.flatMap((key) => this.#items.get(keyOf(key)) ?? []),
    ])
    return { Responses: Object.fromEntries(matching) }
  }

  /** Returns the items of one partition in the order of the sort key. */
  #query(input: Input): unknown {
    const matching = [...this.#items.values()].filter((item) =>
      satisfies(item, { ...input, ConditionExpression: input.KeyConditionExpression ?? '' }),
    )
    return { Items: matching.sort((first, second) => (String(first.sk) < String(second.sk) ? -1 : 1)) }
  }

  #write(input: Input, key: Item | undefined, after: (before: Item) => Item): unknown {
    const before = this.#items.get(keyOf(key))
    if (input.ConditionExpression !== undefined && !satisfies(before ?? {}, input))
      throw new ConditionalCheckFailedException({ message: 'the condition is not met', $metadata: {} })
    const written = Object.freeze(after(before ?? {}))
    this.#items.set(keyOf(key), written)
    return { Attributes: input.ReturnValues?.endsWith('_NEW') ? written : before }
  }
}

const keyOf = (key: Item = {}): string => `${key.pk} ${key.sk}`

function updated(item: Item, input: Input): Item {
  const { assignments, removed } = parseUpdate(input.UpdateExpression ?? '')
  for (const { path, value } of assignments)
    item[attributeNamed(path, input)] = assignedValue(value, item, input)
  for (const path of removed) delete item[attributeNamed(path, input)]
  return item
}

/** `SET a = :a, b = :b REMOVE c, d`; one of the clauses may be missing. */
const parseUpdate = cached((expression: string) => {
  const [, set = '', remove = ''] = /^(?:SET (.+?))?(?:(?:^| )REMOVE (.+))?$/.exec(expression) ?? []
  const assignments = listed(set).map((assignment) => {
    const [path = '', value = ''] = assignment.split(' = ')
    return { path, value }
  })
  return { assignments, removed: listed(remove) }
})

const listed = (clause: string): string[] => (clause === '' ? [] : clause.split(/, (?![^(]*\))/))

const tokensOf = cached((condition: string) => condition.match(/[:#]?\w+|[<>]=|[<>=(),]/g) ?? [])

/** The product has few expressions, and the simulations use each of them often. */
function cached<T>(parse: (text: string) => T): (text: string) => T {
  const results = new Map<string, T>()
  return (text) => {
    const result = results.get(text) ?? parse(text)
    results.set(text, result)
    return result
  }
}

function attributeNamed(path: string, { ExpressionAttributeNames: names = {} }: Input): string {
  if (!path.startsWith('#')) return path
  return names[path] ?? fail(`the name ${path} is not given`)
}

/** Evaluates a value's name, `if_not_exists(attribute, value)`, or an attribute plus or minus a value. */
function assignedValue(text: string, item: Item, input: Input): unknown {
  const [, operand, sign, amount] = /^(\S+) ([+-]) (\S+)$/.exec(text) ?? []
  if (operand !== undefined && amount !== undefined)
    return (
      Number(item[attributeNamed(operand, input)]) + Number(`${sign}1`) * Number(valueNamed(amount, input))
    )
  const [, path, name] = /^if_not_exists\((\S+), (\S+)\)$/.exec(text) ?? []
  if (path === undefined || name === undefined) return valueNamed(text, input)
  return item[attributeNamed(path, input)] ?? valueNamed(name, input)
}

function valueNamed(name: string, { ExpressionAttributeValues: values = {} }: Input): unknown {
  return name in values ? values[name] : fail(`the value ${name} is not given`)
}

/** Whether an item meets a condition: OR binds least, then AND, then NOT, comparisons and parentheses. */
export function satisfies(item: Item, input: Input): boolean {
  const tokens = [...tokensOf(input.ConditionExpression ?? '')]
  const take = (): string => tokens.shift() ?? fail('the condition ends too early')
  const expect = (token: string) => take() === token || fail(`no ${token} in the condition`)
  const anyOf = (): boolean => separated('OR', allOf).includes(true)
  const allOf = (): boolean => !separated('AND', term).includes(false)

  function separated<T>(separator: string, part: () => T): T[] {
    const parts = [part()]
    while (tokens[0] === separator) {
      take()
      parts.push(part())
    }
    return parts
  }

  function term(): boolean {
    const token = take()
    if (token === 'NOT') return !term()
    if (token === '(') return closed(anyOf)
    if (tokens[0] !== '(') return compares(item[attributeNamed(token, input)])
    expect('(')
    const exists = closed(() => item[attributeNamed(take(), input)] !== undefined)
    if (token === 'attribute_exists') return exists
    return token === 'attribute_not_exists' ? !exists : fail(`the function ${token} is not supported`)
  }

  function closed<T>(inside: () => T): T {
    const value = inside()
    expect(')')
    return value
  }

  function compares(attribute: unknown): boolean {
    const operator = take()
    if (operator === 'IN') {
      expect('(')
      return closed(() => separated(',', () => valueNamed(take(), input))).includes(attribute)
    }
    const value = valueNamed(take(), input)
    if (operator !== 'BETWEEN') return compared(attribute, operator, value)
    expect('AND')
    return compared(attribute, '>=', value) && compared(attribute, '<=', valueNamed(take(), input))
  }

  const met = anyOf()
  return tokens.length === 0 ? met : fail(`${tokens.join(' ')} follows the condition`)
}

/** A missing value, or a value of another type, is unequal to every value. */
function compared(attribute: unknown, operator: string, value: unknown): boolean {
  if (operator === '=') return attribute === value
  if (typeof attribute !== typeof value) return false
  const [left, right] = [attribute as string, value as string]
  if (operator === '<') return left < right
  if (operator === '>') return left > right
  if (operator === '>=') return left >= right
  return operator === '<=' ? left <= right : fail(`the operator ${operator} is not supported`)
}

function fail(message: string): never {
  throw new Error(message)
}
