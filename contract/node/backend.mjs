// Calls the fake with Clerk's JavaScript client, in the cases of peers_test.go, and prints
// the results as JSON.
import { createClerkClient } from '@clerk/backend';

const stage = JSON.parse(process.env.STAGE);
const client = (apiUrl, secretKey = stage.secretKey) => createClerkClient({ secretKey, apiUrl }).invitations;
const fake = client(stage.fake);
const guest = (n) => ({ emailAddress: `guest${n}@example.com` });

const cases = {
  create: () => fake.createInvitation({
    emailAddress: 'javascript@example.com', publicMetadata: { role: 'admin' }, redirectUrl: 'https://app.example.com/welcome',
    notify: false, ignoreExisting: true, expiresInDays: 7, templateSlug: 'waitlist_invitation',
  }),
  'bulk create': () => fake.createInvitationBulk([guest(10), { ...guest(11), publicMetadata: { role: 'admin' } }]),
  list: () => fake.getInvitationList({ orderBy: '+created_at', limit: 2, offset: 1 }),
  'list pending': () => fake.getInvitationList({ status: 'pending', query: 'guest1@example.com' }),
  'list revoked': () => fake.getInvitationList({ status: 'revoked' }),
  revoke: () => fake.revokeInvitation(stage.revocable),
  duplicate: () => fake.createInvitation(guest(1)),
  'duplicate in a bulk': () => fake.createInvitationBulk([guest(20), guest(1)]),
  user: () => fake.createInvitation(guest(0)),
  'user in a bulk': () => fake.createInvitationBulk([{ ...guest(0), ignoreExisting: true }]),
  'bad address': () => fake.createInvitation({ emailAddress: 'nobody' }),
  'no address': () => fake.createInvitation({ emailAddress: '' }),
  'too many days': () => fake.createInvitation({ ...guest(21), expiresInDays: 366 }),
  'too many': () => fake.createInvitationBulk(Array.from({ length: 11 }, (_, i) => guest(30 + i))),
  'revoke revoked': () => fake.revokeInvitation(stage.revoked),
  'revoke accepted': () => fake.revokeInvitation(stage.accepted),
  'revoke unknown': () => fake.revokeInvitation('inv_unknown'),
  delete: async () => fake.deleteInvitation((await fake.createInvitation(guest(40))).id),
  'delete unknown': () => fake.deleteInvitation('inv_unknown'),
  'wrong key': () => client(stage.fake, 'sk_test_another').createInvitation(guest(21)),
  'rate limited': () => client(stage.limited).createInvitation(guest(21)),
  'internal error': () => client(stage.broken).createInvitation(guest(21)),
  'bad gateway': () => client(stage.proxied).createInvitation(guest(21)),
};

const results = {};
for (const [name, call] of Object.entries(cases)) {
  try {
    const result = await call();
    results[name] = { result };
  } catch (error) {
    results[name] = {
      status: error.status, codes: (error.errors ?? []).map((e) => e.code), traceId: error.clerkTraceId,
      retryAfter: error.retryAfter, text: String(error),
    };
  }
}
process.stdout.write(JSON.stringify(results));
