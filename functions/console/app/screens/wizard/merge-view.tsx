/** The change that another person or program has saved meanwhile, and how it is merged with what was entered. */
import Alert from '@cloudscape-design/components/alert'
import Button from '@cloudscape-design/components/button'
import Header from '@cloudscape-design/components/header'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Table from '@cloudscape-design/components/table'
import { useState } from 'react'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import { Time } from '../../components/time.tsx'
import { ComparedValue, ShortValue } from './change-list.tsx'
import { type Body, type Connector, type Draft, draftOf, shownFields } from './draft.ts'
import { type Choice, type Choices, canHoldBoth, type MergedField, mergedBody, mergeFields } from './merge.ts'

interface MergeViewProps {
  direction: Draft['direction']
  base: Connector
  /** As it is saved now. */
  saved: Connector
  entered: Body
  onMerged(draft: Draft, base: Connector): void
}

const sourceTexts: Readonly<Record<Exclude<MergedField['source'], 'Conflict'>, string>> = {
  Draft: 'what you entered',
  Saved: 'what is saved',
  Same: 'both are the same',
}

export function MergeView({ direction, base, saved, entered, onMerged }: MergeViewProps) {
  const [choices, setChoices] = useState<Choices>({})
  const fields = mergeFields(
    shownFields(direction, { ...base }),
    shownFields(direction, { ...saved }),
    entered,
  )
  const conflicts = fields.filter(({ source }) => source === 'Conflict')
  const open = conflicts.filter(({ name }) => choices[name] === undefined)
  const merged = mergedBody(entered, fields, choices)
  return (
    <SpaceBetween size="m">
      <Alert
        type="warning"
        header="Another person or program has changed this connector"
        action={
          <Button
            disabled={merged === null}
            onClick={() => merged !== null && onMerged(draftOf(direction, merged), saved)}
          >
            Merge both changes
          </Button>
        }
      >
        It was saved <Time at={saved.updatedAt} />, after you began. Nothing of yours is saved yet.{' '}
        {conflicts.length === 0
          ? 'The changes do not contradict each other. Merge them, look at the difference, then save.'
          : `${countText(conflicts.length, 'field has', 'fields have')} two new values: choose one of each, then merge.`}
      </Alert>
      <Table
        items={fields}
        trackBy="name"
        wrapLines
        contentDensity="compact"
        ariaLabels={{ tableLabel: 'Both changes' }}
        header={<Header variant="h2">Both changes</Header>}
        columnDefinitions={[
          { id: 'name', header: 'Field', cell: ({ name }) => name, isRowHeader: true, minWidth: 130 },
          {
            id: 'base',
            header: 'As you began',
            cell: (field) => <ShortValue value={field.base} />,
            minWidth: 120,
          },
          {
            id: 'saved',
            header: 'Saved meanwhile',
            cell: (field) => <ComparedValue from={field.base} to={field.saved} />,
            minWidth: 120,
          },
          {
            id: 'entered',
            header: 'What you entered',
            cell: (field) => <ComparedValue from={field.base} to={field.entered} />,
            minWidth: 120,
          },
          {
            id: 'result',
            header: 'Result',
            minWidth: 150,
            cell: (field) =>
              field.source === 'Conflict' ? (
                <ConflictChoice
                  field={field}
                  choice={choices[field.name] ?? null}
                  onChoose={(choice) => setChoices({ ...choices, [field.name]: choice })}
                />
              ) : (
                sourceTexts[field.source]
              ),
          },
        ]}
      />
      {open.length > 0 && <span>To be chosen: {open.map(({ name }) => name).join(', ')}</span>}
    </SpaceBetween>
  )
}

interface ConflictChoiceProps {
  field: MergedField
  choice: Choice | null
  onChoose(choice: Choice): void
}

const ConflictChoice = ({ field, choice, onChoose }: ConflictChoiceProps) => (
  <RadioGroup
    ariaLabel={`Result of ${field.name}`}
    value={choice}
    onChange={({ detail }) => onChoose(detail.value as Choice)}
    items={[
      { value: 'Saved', label: 'What is saved' },
      { value: 'Draft', label: 'What you entered' },
      ...(canHoldBoth(field)
        ? [{ value: 'Both', label: 'Both', description: 'The entries that either change added.' }]
        : []),
    ]}
  />
)
