/** A recipient of a message: its state, and what led to it. */
import Box from '@cloudscape-design/components/box'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import Steps from '@cloudscape-design/components/steps'
import { TextOfOthers } from '../../components/text-of-others.tsx'
import { Time } from '../../components/time.tsx'
import { stateSentences } from './message-acts.ts'
import { MessageState } from './message-state.tsx'
import { recipientSteps } from './recipient-steps.tsx'
import type { Recipient } from './session-text.ts'

export function RecipientStory({ recipient }: { recipient: Recipient }) {
  const { address, state, until, givenUpAt } = recipient
  return (
    <Container
      header={
        <Header variant="h2">
          <TextOfOthers text={address} />
        </Header>
      }
    >
      <SpaceBetween size="m">
        <div>
          <MessageState state={state} />
          <Box color="text-body-secondary">
            {stateSentences[state]}
            {until !== null && ' Next decision at '}
            {until !== null && <Time precision="Second" at={until} />}
            {until !== null && '.'}
            {givenUpAt !== null && ' Bounces at '}
            {givenUpAt !== null && <Time precision="Second" at={givenUpAt} />}
            {givenUpAt !== null && ' unless something changes.'}
          </Box>
        </div>
        <Steps ariaLabel="What happened" steps={recipientSteps(recipient)} />
      </SpaceBetween>
    </Container>
  )
}
