import { isManagementError, type ManagementClient, type PositionedStatus } from 'openvpn-management-client';

/**
 * Sends `status`, in the one form that answers: a user name of 450 characters and more breaks `status 3`, not
 * `status 1`.
 *
 * @throws ManagementError
 */
export async function readStatus(client: ManagementClient): Promise<PositionedStatus> {
  try {
    return await client.status();
  } catch (error) {
    if (isManagementError(error) && error.code === 'MGMT_TRUNCATED') return client.status({ format: 1 });
    throw error;
  }
}
