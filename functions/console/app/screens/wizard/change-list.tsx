/** Fields with their values before and after. Of a list only what is added and removed. */

import type { FieldChange } from '../../../../../shared/policy/change-effects.ts'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { listChange } from '../changes/changed-fields.ts'
import { FieldValue } from '../changes/field-value.tsx'

interface ChangeListProps {
  changes: readonly FieldChange[]
  /** Whether there is no value before. */
  isNew: boolean
}

export const ChangeList = ({ changes, isNew }: ChangeListProps) => (
  <dl className="changed-fields">
    {changes.map(({ field, from, to }) => (
      <div key={field}>
        <dt>{field}</dt>
        <dd>{isNew ? <CountedValue value={to} /> : <ValueChange from={from} to={to} />}</dd>
      </div>
    ))}
  </dl>
)

/** Null is the API's word for no requirement, or none. */
export const PlainValue = ({ value }: { value: unknown }) => (
  <FieldValue value={value === null ? 'null' : value} />
)

const manyEntries = 5

const CountedValue = ({ value }: { value: unknown }) => (
  <>
    {Array.isArray(value) && value.length > manyEntries && `${countText(value.length, 'entry', 'entries')}: `}
    <PlainValue value={value} />
  </>
)

/** A value from which others differ: of a long list only how long it is. */
export const ShortValue = ({ value }: { value: unknown }) =>
  Array.isArray(value) && value.length > manyEntries ? (
    countText(value.length, 'entry', 'entries')
  ) : (
    <PlainValue value={value} />
  )

/** What differs from another value. Short lists and other values are shown as they are. */
export function ComparedValue({ from, to }: Pick<FieldChange, 'from' | 'to'>) {
  const items = listChange(from, to)
  if (items === null) return <PlainValue value={to} />
  if (items.added.length + items.removed.length === 0) return 'the same entries'
  return <ListChanges items={items} />
}

function ValueChange({ from, to }: Pick<FieldChange, 'from' | 'to'>) {
  const items = listChange(from, to)
  if (items !== null)
    return items.removed.length + items.added.length === 0 ? 'order changed' : <ListChanges items={items} />
  return (
    <>
      <PlainValue value={from} /> <span aria-hidden="true">→ </span>
      <span className="spoken"> changed to </span>
      <PlainValue value={to} />
    </>
  )
}

const ListChanges = ({ items }: { items: NonNullable<ReturnType<typeof listChange>> }) =>
  (['removed', 'added'] as const).map(
    (kind) =>
      items[kind].length > 0 && (
        <div key={kind}>
          {kind}: <CountedValue value={[...items[kind]]} />
        </div>
      ),
  )
