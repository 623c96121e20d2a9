import { defaultStackName } from '../contract/secrets.ts'

/** The stack of this unit. It separates the metrics, events and secrets of the stacks in one Region. */
export const stackName: string = process.env.STACK_NAME || defaultStackName
