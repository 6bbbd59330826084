package pusher

import (
	"context"
	"fmt"
	"net/http"
)

// bestCancels is how many DELETEs a session is worth; bestFarewell ends them too.
const bestCancels = 6

// resume asks the registry how much it has. A session of which it knows nothing is
// left, one of which it says nothing is cancelled.
func (u *bestUpload) resume(ctx context.Context) error {
	if u.location == "" {
		return nil
	}
	a, err := u.host.do(ctx, call{method: http.MethodGet, address: u.location, tries: 2})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && a.ok() {
		end, ok := rangeEnd(a.header.Get("Range"))
		if !ok || end <= u.blob.Size {
			u.offset = 0
			if ok {
				u.offset = end
			}
			return u.moved(a)
		}
	}
	switch {
	case err == nil && gone(a):
	case err == nil && a.status == http.StatusNotFound: // it takes no request at this address any more
		u.left(ctx, a.err())
	default:
		u.cancel(ctx)
	}
	u.location, u.offset = "", 0
	return nil
}

// gone tells whether the registry has no such session any more. Distribution 2.x answers
// 404 also where it has it: its addresses are good for the offset that they were given at
// and for no other, so after a body broke off there is none at which the session can be
// asked for, gone on with, or cancelled.
func gone(a *answer) bool { return a.status == http.StatusNotFound && !a.has("BLOB_UPLOAD_INVALID") }

// cancel gives the session up, also after the push was cancelled. The body that was under
// way has left this side by then.
func (u *bestUpload) cancel(ctx context.Context) {
	if u.location == "" {
		return
	}
	own, cancel := u.job.Clock.WithTimeout(context.WithoutCancel(ctx), bestFarewell)
	defer cancel()
	if err := u.cancelled(own); err != nil {
		u.left(own, err)
	}
	u.location = ""
}

// cancelled cancels the session. Some want to hear first what they have (distribution
// 3, after a transfer broke off), and have more of it a moment later where something
// on the way still hands on what it holds: so they are asked, and asked again.
//
// Errors: why the session is still there, as far as is known.
func (u *bestUpload) cancelled(ctx context.Context) error {
	for n := 1; ; n++ {
		a, err := u.host.do(ctx, call{method: http.MethodDelete, address: u.location, about: "cancel", tries: 3})
		switch {
		case err != nil:
			return err
		case a.ok(), gone(a):
			return nil
		case n == bestCancels:
			return a.err()
		case n > 1:
			if err := u.job.Clock.Sleep(ctx, bestDelay(n-1)); err != nil {
				return a.err()
			}
		}
		state, err := u.host.do(ctx, call{method: http.MethodGet, address: u.location, about: "cancel", tries: 2})
		switch {
		case err == nil && gone(state):
			return nil
		case err != nil || !state.ok() || u.moved(state) != nil:
			return a.err()
		}
	}
}

// left tells of a session that stays at the registry.
func (u *bestUpload) left(ctx context.Context, err error) {
	u.job.Log.WarnContext(ctx, "an upload session was not cancelled", "blob", u.blob.Digest, "err", err)
	u.job.status(fmt.Sprintf("an upload session of %s was not cancelled and stays until the registry purges it: %v", u.blob.Digest, err))
}
