/** The controls of the wizard, each for a field of the API. */
import Checkbox from '@cloudscape-design/components/checkbox'
import FormField from '@cloudscape-design/components/form-field'
import Input from '@cloudscape-design/components/input'
import RadioGroup from '@cloudscape-design/components/radio-group'
import Textarea from '@cloudscape-design/components/textarea'
import type { ReactNode } from 'react'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { fieldsOf } from './fields.ts'
import { useForm } from './form.ts'
import { listWarnings } from './list-warnings.ts'
import { countOf, readField } from './read-field.ts'

interface ControlProps {
  /** Name of the field in the API. */
  name: string
  label: string
  description?: ReactNode
}

const shownFaults = 5

/** Nothing without faults, so that the control is valid. */
export function faultTexts(faults: readonly string[]): ReactNode {
  if (faults.length === 0) return undefined
  return (
    <>
      {faults.slice(0, shownFaults).map((fault) => (
        <div key={fault}>
          <TextOfOthers text={fault} />
        </div>
      ))}
      {faults.length > shownFaults && <div>and {faults.length - shownFaults} more faults</div>}
    </>
  )
}

export function TextField({ name, label, description, ...rest }: ControlProps & { placeholder?: string }) {
  const { draft, change, faultsOf } = useForm()
  return (
    <FormField label={label} description={description} errorText={faultTexts(faultsOf(name))} stretch>
      <Input
        value={String(draft.values[name] ?? '')}
        onChange={({ detail }) => change({ [name]: detail.value })}
        spellcheck={false}
        autoComplete={false}
        {...rest}
      />
    </FormField>
  )
}

interface ListFieldProps extends ControlProps {
  /** One entry, for the number of entries. */
  noun: string
  plural?: string
  placeholder?: string
  rows?: number
  /** Without those of entries with more than a word, such as certificates. */
  separators?: string
  /** What the person should look at, beside what the text itself shows. */
  warnings?: ReactNode
}

const separatorsText = 'One on each line, or between commas or spaces. A pasted list may be long.'

export function ListField({
  name,
  label,
  description,
  noun,
  plural = `${noun}s`,
  placeholder = '',
  rows = 3,
  separators = separatorsText,
  warnings = null,
}: ListFieldProps) {
  const { draft, change, faultsOf } = useForm()
  const field = fieldsOf(draft.direction).find((each) => each.name === name)
  const held = draft.values[name]
  const { kind } = field ?? { kind: 'Patterns' }
  const read = readField({ kind }, held)
  const textWarnings = faultTexts(listWarnings(kind, String(held ?? ''), noun))
  return (
    <FormField
      label={label}
      description={description}
      constraintText={`${separators} ${countOf(read, noun, plural)}.`}
      errorText={faultTexts(faultsOf(name))}
      warningText={
        (textWarnings || warnings) && (
          <>
            {textWarnings}
            {warnings}
          </>
        )
      }
      stretch
    >
      <Textarea
        value={String(held ?? '')}
        onChange={({ detail }) => change({ [name]: detail.value })}
        placeholder={placeholder}
        rows={rows}
        spellcheck={false}
      />
    </FormField>
  )
}

export interface ChoiceItem {
  value: string | null
  label: string
  description?: string
  disabled?: boolean
}

/** The value null has no text of its own. */
const textOf = (value: unknown): string => String(value)

export function ChoiceField({ name, label, description, items }: ControlProps & { items: ChoiceItem[] }) {
  const { draft, change, faultsOf } = useForm()
  return (
    <FormField label={label} description={description} errorText={faultTexts(faultsOf(name))} stretch>
      <RadioGroup
        value={textOf(draft.values[name])}
        onChange={({ detail }) => {
          const item = items.find(({ value }) => textOf(value) === detail.value)
          if (item) change({ [name]: item.value })
        }}
        items={items.map(({ value, ...item }) => ({ ...item, value: textOf(value) }))}
      />
    </FormField>
  )
}

export function FlagField({ name, label, description, disabled }: ControlProps & { disabled?: boolean }) {
  const { draft, change, faultsOf } = useForm()
  return (
    <FormField errorText={faultTexts(faultsOf(name))} stretch>
      <Checkbox
        checked={draft.values[name] === true}
        disabled={disabled ?? false}
        description={description}
        onChange={({ detail }) => change({ [name]: detail.checked })}
      >
        {label}
      </Checkbox>
    </FormField>
  )
}
