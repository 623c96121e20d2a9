/** Name and comment, and how far the requirements are applied. */
import Container from '@cloudscape-design/components/container'
import FormField from '@cloudscape-design/components/form-field'
import Header from '@cloudscape-design/components/header'
import RadioGroup from '@cloudscape-design/components/radio-group'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Textarea from '@cloudscape-design/components/textarea'
import { type Stage, stageOf, stages, stageTexts, valuesOfStage } from '../partners/stages.ts'
import { faultTexts, TextField } from './controls.tsx'
import { useForm } from './form.ts'

export function NameStep() {
  const { draft, change, faultsOf } = useForm()
  const { direction, values } = draft
  const texts = stageTexts[direction]
  const stageFaults = ['enabled', 'mode', 'onViolation', 'onTlsFailure'].flatMap(faultsOf)
  return (
    <SpaceBetween size="l">
      <Container>
        <SpaceBetween size="l">
          <TextField
            name="name"
            label="Name"
            description="Unique among connectors of its direction, in any letter case. Exchange: “Connector name”."
          />
          <FormField
            label="Comment"
            description="Such as with whom TLS was agreed, and when. Exchange: “Description”."
            errorText={faultTexts(faultsOf('comment'))}
            stretch
          >
            <Textarea
              value={String(values.comment)}
              onChange={({ detail }) => change({ comment: detail.value })}
              rows={2}
            />
          </FormField>
        </SpaceBetween>
      </Container>
      <Container
        header={
          <Header
            variant="h2"
            description="Go from one stage to the next when no mail would be refused that should not be. Exchange has only “Turn it on”."
          >
            Stage
          </Header>
        }
      >
        <FormField
          label="Mail that does not meet the requirements"
          errorText={faultTexts(stageFaults)}
          stretch
        >
          <RadioGroup
            value={stageOf(direction, values)}
            onChange={({ detail }) => change(valuesOfStage(direction, detail.value as Stage))}
            items={stages.map((stage) => {
              const { label, description, fields } = texts[stage]
              return { value: stage, label, description: `${description} ${fields}` }
            })}
          />
        </FormField>
      </Container>
    </SpaceBetween>
  )
}
