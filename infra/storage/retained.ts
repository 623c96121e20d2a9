import { RemovalPolicy } from 'aws-cdk-lib'

/**
 * The removal policy of stored data: it outlives the stack, but not a deployment that failed to create it. Otherwise
 * each failed first deployment would leave its resources behind
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html,
 * `RetainExceptOnCreate`).
 */
export const retained = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
