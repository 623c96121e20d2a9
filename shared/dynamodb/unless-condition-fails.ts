import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'

/**
 * @returns false when the write's condition was not met
 * @throws any other error
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
