package pusher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A bestUpload sends one blob.
type bestUpload struct {
	*bestPush
	blob *bestBlob
	from string // to mount from; "" sends it at once

	location string // of the session; "" when there is none
	offset   int64  // so many bytes the registry has, as far as is known
	chunk    int64  // at most so many bytes in a request; 0 is any number
	sum      *sum   // nil before anything was sent
	doubtful bool   // the blob may have been taken
}

// run sends the blob, in as many attempts as it takes: each goes on where the
// registry says that the one before ended.
func (u *bestUpload) run(ctx context.Context) error {
	err := u.attempts(ctx)
	if err == nil {
		return nil
	}
	u.cancel(ctx)
	if errors.Is(err, errLocal) && !errors.Is(err, image.ErrNoBlob) { // which names it
		return fmt.Errorf("blob %s: %w", u.blob.Digest, err)
	}
	return err
}

func (u *bestUpload) attempts(ctx context.Context) error {
	for n := 1; ; n++ {
		done, err := u.attempt(ctx)
		if done || ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		var final *finalError
		if errors.As(err, &final) || errors.Is(err, errLocal) || n > bestTries {
			return err
		}
		u.job.Log.InfoContext(ctx, "upload broke off", "blob", u.blob.Digest, "attempt", n, "err", err)
		u.tell(u.blob, "Retrying")
		if !errors.Is(err, errRenewed) {
			if err := u.job.Clock.Sleep(ctx, bestDelay(n)); err != nil {
				return err
			}
		}
		if err := u.resume(ctx); err != nil {
			return err
		}
	}
}

// errRenewed says that a request only lacked a token, which there is now.
var errRenewed = errors.New("the token was not taken; there is a new one")

// attempt opens a session if there is none, and sends the rest of the blob.
//
// Errors: finalError after which another attempt makes no sense.
func (u *bestUpload) attempt(ctx context.Context) (done bool, err error) {
	if u.doubtful && u.location == "" {
		there, err := u.stat(ctx, u.blob)
		if err != nil {
			return false, &finalError{err}
		}
		if there {
			u.tell(u.blob, "Pushed")
			return true, nil
		}
		u.doubtful = false
	}
	if u.location == "" {
		if done, err := u.open(ctx); done || err != nil {
			return done, err
		}
	}
	if u.sum == nil {
		u.sum = newSum(u.blob.Digest, u.blob.Size)
	}
	if err := u.send(ctx); err != nil {
		return false, err
	}
	u.tell(u.blob, "Pushed")
	return true, nil
}

// open opens a session, or mounts the blob.
func (u *bestUpload) open(ctx context.Context) (done bool, err error) {
	address := u.host.at("/blobs/uploads/")
	if u.from != "" {
		query := url.Values{"mount": {u.blob.Digest.String()}, "from": {u.from}}
		a, err := u.host.do(ctx, call{method: http.MethodPost, address: address + "?" + query.Encode(), about: "mount " + u.blob.Digest.String(), tries: 2, opens: true})
		from := u.from
		u.from = ""
		switch {
		case err != nil && ctx.Err() != nil:
			return false, err
		case err == nil && a.status == http.StatusCreated:
			if from == u.job.Name.Remote {
				u.tell(u.blob, "Layer already exists")
				return true, nil
			}
			u.tell(u.blob, "Mounted from "+from)
			return true, nil
		case err == nil && a.status == http.StatusAccepted:
			return false, u.opened(a)
		}
		there, err := u.stat(ctx, u.blob) // what would have been asked first
		if err != nil {
			return false, &finalError{err}
		}
		if there {
			u.tell(u.blob, "Layer already exists")
			return true, nil
		}
	}
	a, err := u.host.do(ctx, call{method: http.MethodPost, address: address, about: u.blob.Digest.String(), opens: true})
	switch {
	case err != nil:
		return false, &finalError{err}
	case !a.ok():
		return false, &finalError{a.err()}
	}
	return false, u.opened(a)
}

// opened takes the session from the answer to a POST.
func (u *bestUpload) opened(a *answer) error {
	if err := u.moved(a); err != nil {
		return err
	}
	if u.location == "" {
		return fmt.Errorf("%s: the registry answered %d without a Location to upload to", a.request, a.status)
	}
	u.offset, u.chunk = 0, u.job.chunk
	if least, err := strconv.ParseInt(a.header.Get("OCI-Chunk-Min-Length"), 10, 64); err == nil && u.chunk > 0 {
		u.chunk = max(u.chunk, least)
	}
	return nil
}

// moved follows the Location of an answer, if it has one.
func (u *bestUpload) moved(a *answer) error {
	location := a.header.Get("Location")
	if location == "" {
		return nil
	}
	next, err := resolve(a.address, location)
	if err == nil {
		_, err = u.host.allowed(next)
	}
	if err != nil {
		return &finalError{fmt.Errorf("%s: its Location leads nowhere: %w", a.request, err)}
	}
	u.location = next
	return nil
}

// send sends what the registry has not, and closes the session.
func (u *bestUpload) send(ctx context.Context) error {
	size, whole := u.blob.Size, u.offset == 0 && !u.outlives(ctx)
	for u.offset < size {
		left := size - u.offset
		if whole && u.chunk == 0 || u.chunk > 0 && left <= u.chunk {
			break
		}
		n := left
		if u.chunk > 0 {
			n = min(n, u.chunk)
		}
		if err := u.patch(ctx, u.offset+n); err != nil {
			return err
		}
	}
	return u.commit(ctx)
}

// outlives tells whether the token may die before the blob is through: a registry
// may look at it again at the end. Then the end is a request of its own.
func (u *bestUpload) outlives(ctx context.Context) bool {
	left := u.host.auth.left(ctx)
	return left >= 0 && time.Duration(u.blob.Size/bestReckoned)*time.Second > left
}

// patch sends the bytes up to a position.
func (u *bestUpload) patch(ctx context.Context, to int64) error {
	from := u.offset
	a, err := u.transfer(ctx, http.MethodPatch, u.location, to, fmt.Sprintf("%d-%d", from, to-1))
	if err != nil {
		return err
	}
	if !a.ok() {
		return u.refused(a)
	}
	if err := u.moved(a); err != nil {
		return err
	}
	u.offset = to
	// an end of 0 is what many a registry always says
	if end, ok := rangeEnd(a.header.Get("Range")); ok && end > from && end < to {
		u.offset = end
	}
	return nil
}

// rangeEnd reads how many bytes a Range of an upload stands for: "0-1023" and
// "bytes=0-1023" are 1024. "0-0" is none or one, and says nothing.
func rangeEnd(s string) (int64, bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(s, "bytes="), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || first != "0" || n <= 0 {
		return 0, false
	}
	return n + 1, true
}

// commit sends the rest and closes the session.
func (u *bestUpload) commit(ctx context.Context) error {
	sep := "?"
	if strings.Contains(u.location, "?") {
		sep = "&"
	}
	address := u.location + sep + "digest=" + url.QueryEscape(u.blob.Digest.String())
	span := ""
	if u.offset > 0 && u.offset < u.blob.Size {
		span = fmt.Sprintf("%d-%d", u.offset, u.blob.Size-1)
	}
	u.doubtful = true
	a, err := u.transfer(ctx, http.MethodPut, address, u.blob.Size, span)
	if err != nil {
		return err
	}
	if !a.ok() {
		return u.refused(a)
	}
	if a.status != http.StatusAccepted {
		u.location = ""
	}
	if a.header.Get("Docker-Content-Digest") == u.blob.Digest.String() {
		return nil
	}
	there, err := u.stat(ctx, u.blob) // it did not say what it took
	switch {
	case err != nil:
		return &finalError{err}
	case !there:
		u.doubtful = false
		return fmt.Errorf("%s: the registry answered %d, but does not have the blob", a.request, a.status)
	}
	u.location = ""
	return nil
}

// transfer sends bytes from the offset up to a position.
func (u *bestUpload) transfer(ctx context.Context, method, address string, to int64, span string) (*answer, error) {
	c := call{method: method, address: address, header: http.Header{"Content-Type": {"application/octet-stream"}}, size: to - u.offset, tries: 1}
	if span != "" {
		c.header.Set("Content-Range", span)
	}
	if c.size > 0 {
		from := u.offset
		c.stream = func() (io.ReadCloser, error) {
			file, err := u.blob.open()
			if err != nil {
				return nil, err
			}
			if from == 0 && to == u.blob.Size && to <= smallBlob {
				u.progress()(0)
				return wholeBody(file, u.blob.Digest, to)
			}
			return newSumBody(file, u.sum, from, to, u.progress())
		}
	}
	a, err := u.host.do(ctx, c)
	if err == nil && a.renewed {
		return nil, errRenewed
	}
	return a, err
}

// progress tells of the bytes that left, not too often.
func (u *bestUpload) progress() func(int64) {
	id, size := shortID(u.blob.Digest.Encoded()), u.blob.Size
	last, step := int64(-1), max(size/100, progressStep)
	return func(at int64) {
		if last >= 0 && at-last < step {
			return
		}
		last = at
		u.job.Report(Event{ID: id, Status: "Pushing", Current: at, Total: size, Action: true})
	}
}

// refused weighs a refusal in the middle of an upload.
func (u *bestUpload) refused(a *answer) error {
	switch {
	case a.status == http.StatusNotFound, a.status == http.StatusRequestedRangeNotSatisfiable, a.status == http.StatusConflict,
		a.has("BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "RANGE_INVALID", "DIGEST_INVALID", "SIZE_INVALID"), a.passing():
		return a.err()
	}
	return &finalError{a.err()}
}
