/** Fields with their values before and after. Of a long list only what is added and removed. */
import type { FieldChange } from '../../../../../shared/policy/change-effects.ts'
import { listChange } from '../changes/changed-fields.ts'
import { FieldValue } from '../changes/field-value.tsx'

interface ChangeListProps {
  changes: readonly FieldChange[]
  /** Whether there is no value before. */
  isNew: boolean
}

export const ChangeList = ({ changes, isNew }: ChangeListProps) => (
  <dl className="changed-fields">
    {changes.map((change) => (
      <div key={change.field}>
        <dt>{change.field}</dt>
        <dd>{isNew ? <FieldValue value={shown(change.to)} /> : <ValueChange change={change} />}</dd>
      </div>
    ))}
  </dl>
)

/** Null is no requirement or none; the API's word is shown. */
const shown = (value: unknown): unknown => (value === null ? 'null' : value)

function ValueChange({ change: { from, to } }: { change: FieldChange }) {
  const items = listChange(from, to)
  if (items !== null)
    return (
      <>
        <Items heading="removed" items={items.removed} />
        <Items heading="added" items={items.added} />
        {items.removed.length + items.added.length === 0 && 'order changed'}
      </>
    )
  return (
    <>
      <FieldValue value={shown(from)} /> <span aria-hidden="true">→</span>
      <span className="spoken"> changed to </span>
      <FieldValue value={shown(to)} />
    </>
  )
}

const Items = ({ heading, items }: { heading: string; items: readonly string[] }) =>
  items.length > 0 && (
    <div>
      {heading}: <FieldValue value={[...items]} />
    </div>
  )
