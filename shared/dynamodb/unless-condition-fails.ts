import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'

/**
 * @returns false when the condition of the write did not hold
 * @throws any other fault
 */
export async function unlessConditionFails(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false
    throw error
  }
}
