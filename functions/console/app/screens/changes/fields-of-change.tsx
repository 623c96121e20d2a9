/** The fields that a change wrote, before and after. Many are shown on request. */
import Button from '@cloudscape-design/components/button'
import { useState } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { ChangeEntry } from '../../api/types.ts'
import { type ChangedField, changedFields, listChange } from './changed-fields.ts'
import { FieldValue } from './field-value.tsx'

const manyFields = 6

export function FieldsOfChange({ change }: { change: ChangeEntry }) {
  const [isExpanded, setIsExpanded] = useState(false)
  const fields = changedFields(change)
  const list = <FieldTable fields={fields} action={change.action} />
  if (fields.length <= manyFields) return list
  return (
    <>
      <Button
        variant="inline-link"
        iconName={isExpanded ? 'caret-down-filled' : 'caret-right-filled'}
        ariaExpanded={isExpanded}
        ariaLabel={`${countText(fields.length, 'field')} of ${change.name}, version ${change.version}`}
        onClick={() => setIsExpanded(!isExpanded)}
      >
        {countText(fields.length, 'field')}
      </Button>
      {isExpanded ? list : <div className="only-printed">{list}</div>}
    </>
  )
}

function FieldTable({ fields, action }: { fields: readonly ChangedField[]; action: ChangeEntry['action'] }) {
  return (
    <dl className="changed-fields">
      {fields.map((field) => (
        <div key={field.name}>
          <dt>{field.name}</dt>
          <dd>
            <FieldChange field={field} action={action} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function FieldChange({ field, action }: { field: ChangedField; action: ChangeEntry['action'] }) {
  if (action === 'Created') return <FieldValue value={field.after} />
  if (action === 'Deleted') return <FieldValue value={field.before} />
  const items = listChange(field.before, field.after)
  if (items !== null)
    return (
      <>
        {items.removed.map((item) => (
          <div key={item}>
            removed: <FieldValue value={item} />
          </div>
        ))}
        {items.added.map((item) => (
          <div key={item}>
            added: <FieldValue value={item} />
          </div>
        ))}
        {items.removed.length + items.added.length === 0 && 'order changed'}
      </>
    )
  return (
    <>
      <FieldValue value={field.before} /> <span aria-hidden="true">→</span>
      <span className="spoken"> changed to </span>
      <FieldValue value={field.after} />
    </>
  )
}
