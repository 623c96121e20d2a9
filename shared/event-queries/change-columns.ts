/** The columns of changes of the configuration as CSV. Pure. */

export interface ChangeFacts {
  version: number
  /** ISO 8601. */
  at: string
  actor: string
  kind: string
  action: string
  name: string
  /** Of a connector. */
  id?: string | undefined
  /** An accepted domain. */
  domain?: string | undefined
  before: Readonly<Record<string, unknown>> | null
  after: Readonly<Record<string, unknown>> | null
}

export const changeColumns = [
  'version',
  'at',
  'actor',
  'kind',
  'action',
  'name',
  'id',
  'domain',
  'before',
  'after',
] as const

/** @returns the values by column; the fields before and after as JSON */
export const changeRow = ({ before, after, ...change }: ChangeFacts) => ({
  ...change,
  before: before && JSON.stringify(before),
  after: after && JSON.stringify(after),
})
