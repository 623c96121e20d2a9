/** A text of a filter. It applies when the person presses Enter or leaves the field, not with each letter. */
import FormField from '@cloudscape-design/components/form-field'
import Input from '@cloudscape-design/components/input'
import { useEffect, useState } from 'react'

interface FilterInputProps {
  label: string
  placeholder: string
  value: string
  onChange(value: string): void
}

export function FilterInput({ label, placeholder, value, onChange }: FilterInputProps) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  const apply = () => {
    if (text.trim() !== value) onChange(text.trim())
  }
  return (
    <FormField label={label}>
      <Input
        type="search"
        value={text}
        placeholder={placeholder}
        onChange={({ detail }) => {
          setText(detail.value)
          if (detail.value === '' && value !== '') onChange('')
        }}
        onKeyDown={({ detail }) => detail.key === 'Enter' && apply()}
        onBlur={apply}
      />
    </FormField>
  )
}
