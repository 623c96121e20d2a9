/** Filters that the person saved in this browser: apply, save, delete. */
import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import ButtonDropdown from '@cloudscape-design/components/button-dropdown'
import Form from '@cloudscape-design/components/form'
import FormField from '@cloudscape-design/components/form-field'
import Input from '@cloudscape-design/components/input'
import Modal from '@cloudscape-design/components/modal'
import Select from '@cloudscape-design/components/select'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { useState } from 'react'
import type { ViewState } from '../../use-view-state.ts'
import {
  deleteFilter,
  filterChange,
  maxFilterName,
  readSavedFilters,
  type SavedFilter,
  saveFilter,
  selectedName,
} from './saved-filters.ts'

interface SavedFiltersProps {
  state: ViewState
  change(change: Readonly<Record<string, string>>): void
}

export function SavedFilters({ state, change }: SavedFiltersProps) {
  const [filters, setFilters] = useState<readonly SavedFilter[]>(() => readSavedFilters(localStorage))
  const [isSaving, setSaving] = useState(false)
  const selected = selectedName(filters, state)
  return (
    <SpaceBetween direction="horizontal" size="xs">
      <Select
        ariaLabel="Saved filters"
        placeholder="Saved filters"
        empty="No saved filters. Choose filters, then save them under a name."
        selectedOption={selected === null ? null : { value: selected, label: selected }}
        options={filters.map(({ name }) => ({ value: name, label: name }))}
        onChange={({ detail }) => {
          const filter = filters.find(({ name }) => name === detail.selectedOption.value)
          if (filter !== undefined) change(filterChange(filter))
        }}
      />
      <ButtonDropdown
        items={[
          { id: 'save', text: 'Save these filters…' },
          {
            id: 'delete',
            text: selected === null ? 'Delete the saved filter' : `Delete "${selected}"`,
            disabled: selected === null,
            disabledReason: 'Choose a saved filter first.',
          },
        ]}
        onItemClick={({ detail }) => {
          if (detail.id === 'save') setSaving(true)
          else if (selected !== null) setFilters(deleteFilter(localStorage, selected))
        }}
      >
        Save
      </ButtonDropdown>
      {isSaving && (
        <SaveModal
          close={() => setSaving(false)}
          save={(name) => setFilters(saveFilter(localStorage, name, state))}
        />
      )}
    </SpaceBetween>
  )
}

function SaveModal({ close, save }: { close(): void; save(name: string): void }) {
  const [name, setName] = useState('')
  const [fault, setFault] = useState('')
  const submit = () => {
    if (name.trim() === '') return setFault('Enter a name.')
    try {
      save(name.trim().slice(0, maxFilterName))
      close()
    } catch {
      setFault(
        'This browser does not store the filter. Delete saved filters, or allow storage for this page.',
      )
    }
  }
  return (
    <Modal
      visible
      onDismiss={close}
      header="Save these filters"
      footer={
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={close}>
              Cancel
            </Button>
            <Button variant="primary" onClick={submit}>
              Save
            </Button>
          </SpaceBetween>
        </Box>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
      >
        <Form>
          <FormField
            label="Name"
            description="The filters and the period are saved in this browser. A filter of the same name is replaced."
            errorText={fault}
          >
            <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
          </FormField>
        </Form>
      </form>
    </Modal>
  )
}
