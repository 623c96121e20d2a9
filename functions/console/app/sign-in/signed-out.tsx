import Box from '@cloudscape-design/components/box'
import Button from '@cloudscape-design/components/button'
import Container from '@cloudscape-design/components/container'
import Header from '@cloudscape-design/components/header'
import SpaceBetween from '@cloudscape-design/components/space-between'
import { consolePath } from '../../../../shared/contract/console.ts'

export const SignedOut = () => (
  <main>
    <Box padding="xxxl">
      <Container header={<Header variant="h1">You have signed out</Header>}>
        <SpaceBetween size="m">
          <Box>This browser has no token of yours any more.</Box>
          <Button variant="primary" href={consolePath}>
            Sign in
          </Button>
        </SpaceBetween>
      </Container>
    </Box>
  </main>
)
