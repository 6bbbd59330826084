package fakeregistry

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// startUpload answers POST of an upload (end-4a, P-316).
func (v *V2) startUpload(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	u, err := v.storage.Begin(r.Context(), route.Repository, "", true)
	if err != nil {
		return noSession(err)
	}
	if n := v.options.Quirks.MinChunk; n > 0 {
		w.Header().Set("OCI-Chunk-Min-Length", strconv.FormatInt(n, 10))
	}
	v.uploadHeaders(w, r, route.Repository, u, 0)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// noSession is why no upload session starts.
func noSession(err error) error {
	if errors.Is(err, ErrTooMany) {
		return CodeTooManyRequests.With(err.Error())
	}
	return CodeUnknown.With(err)
}

// mountBlob answers POST ?mount=&from= (end-11, P-316): where it cannot, it starts
// an upload.
func (v *V2) mountBlob(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	if v.options.Quirks.NoMount || route.From == "" || route.Digest.Validate() != nil ||
		!validName(route.From) || checkName(route.From) != nil {
		return v.startUpload(w, r, route)
	}
	stored, err := v.storage.Linked(r.Context(), route.From, route.Digest)
	if err == nil {
		_, err = v.storage.StatContent(r.Context(), stored)
	}
	if err == nil {
		err = v.storage.Link(r.Context(), route.Repository, route.Digest, stored)
	}
	if err != nil {
		return v.startUpload(w, r, route)
	}
	v.blobCreated(w, r, route.Repository, route.Digest)
	return nil
}

// postBlob answers POST ?digest= with the whole blob as its body (end-4b).
func (v *V2) postBlob(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	if v.options.Quirks.NoSinglePost {
		return v.startUpload(w, r, route)
	}
	u, err := v.storage.Begin(r.Context(), route.Repository, "", true)
	if err != nil {
		return noSession(err)
	}
	err = v.finishUpload(w, r, route, u)
	if err != nil {
		u.Cancel()
	}
	return err
}

// patchUpload answers PATCH of a session (end-5, P-318, P-321).
func (v *V2) patchUpload(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	u, err := v.resumeUpload(r, route)
	if err != nil {
		return err
	}
	if t := r.Header.Get("Content-Type"); t != "" && t != "application/octet-stream" {
		return v.options.Quirks.mistake(CodeBlobUploadInvalid, "bad Content-Type")
	}
	if err := v.checkRange(r, u.Size()); err != nil {
		return err
	}
	if err := v.checkChunk(r, u); err != nil {
		return err
	}
	before := u.Size()
	if err := v.appendTo(r, u, before); err != nil {
		return err
	}
	v.uploadHeaders(w, r, route.Repository, u, before)
	status := http.StatusAccepted
	if v.options.Quirks.PatchCreated {
		status = http.StatusCreated
	}
	w.WriteHeader(status)
	return nil
}

// appendTo appends a chunk to a session that must still be as long as when the
// chunk's place was compared with it: of two chunks for one place, one is taken.
func (v *V2) appendTo(r *http.Request, u *Upload, at int64) error {
	if v.options.Quirks.PlainLocation && r.Header.Get("Content-Range") == "" {
		at = -1 // it was compared with nothing
	}
	_, err := u.AppendAt(r.Context(), at, r.Body, r.ContentLength)
	if errors.Is(err, ErrMoved) {
		return CodeRangeInvalid.With(nil)
	}
	if err != nil {
		return bodyError(r, err)
	}
	return nil
}

// putUpload answers PUT of a session (end-6, P-319), and POST ?digest=.
func (v *V2) putUpload(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	if route.Session == "" {
		return v.postBlob(w, r, route)
	}
	u, err := v.resumeUpload(r, route)
	if err != nil {
		return err
	}
	if err := v.checkRange(r, u.Size()); err != nil {
		return err
	}
	return v.finishUpload(w, r, route, u)
}

// finishUpload takes the last bytes of a session and makes a blob of them.
func (v *V2) finishUpload(w http.ResponseWriter, r *http.Request, route wire.Route, u *Upload) error {
	d := route.Digest
	if d == "" {
		return CodeDigestInvalid.With("digest missing")
	}
	if d.Validate() != nil {
		return CodeDigestInvalid.With("digest parsing failed")
	}
	if _, err := u.ReadFrom(r.Context(), r.Body, r.ContentLength); err != nil {
		return bodyError(r, err)
	}
	if err := u.Commit(r.Context(), d); err != nil { // the session stays, as distribution's does
		if errors.Is(err, ErrDigestMismatch) {
			return CodeDigestInvalid.With(fmt.Sprintf("invalid digest for referenced layer: %s, %s", d, err))
		}
		return CodeUnknown.With(err)
	}
	v.blobCreated(w, r, route.Repository, d)
	return nil
}

// uploadStatus answers GET of a session (end-13). It does not look at the state
// in the location.
func (v *V2) uploadStatus(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	u, err := v.findUpload(r, route)
	if err != nil {
		return err
	}
	v.uploadHeaders(w, r, route.Repository, u, 0)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// cancelUpload answers DELETE of a session (end-14).
func (v *V2) cancelUpload(w http.ResponseWriter, r *http.Request, route wire.Route) error {
	u, err := v.resumeUpload(r, route)
	if err != nil {
		return err
	}
	u.Cancel()
	w.Header().Set("Docker-Upload-Uuid", u.ID())
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (v *V2) findUpload(r *http.Request, route wire.Route) (*Upload, error) {
	u, err := v.storage.Upload(r.Context(), route.Repository, route.Session)
	if errors.Is(err, ErrNotStored) {
		return nil, CodeBlobUploadUnknown.With("blob upload unknown")
	}
	if err != nil {
		return nil, CodeUnknown.With(err)
	}
	return u, nil
}

// resumeUpload finds a session and compares it with the state in its location
// (P-320).
func (v *V2) resumeUpload(r *http.Request, route wire.Route) (*Upload, error) {
	if v.options.Quirks.PlainLocation {
		return v.findUpload(r, route)
	}
	offset, err := v.readState(r.URL.Query().Get("_state"), route)
	if err != nil {
		return nil, CodeBlobUploadInvalid.With(err)
	}
	u, err := v.findUpload(r, route)
	if err != nil {
		return nil, err
	}
	if u.Size() != offset {
		return nil, CodeRangeInvalid.With(nil)
	}
	return u, nil
}

// uploadHeaders tells where a session is and what it holds. before is what it
// held before this request.
func (v *V2) uploadHeaders(w http.ResponseWriter, r *http.Request, repository string, u *Upload, before int64) {
	size := u.Size()
	q := v.options.Quirks
	path := v.sessionRoot() + "/v2/" + repository + "/blobs/uploads/" + u.ID()
	switch {
	case !q.PlainLocation && q.LocationQuery != "":
		path += "?" + q.LocationQuery + "&_state=" + v.state(repository, u.ID(), size)
	case !q.PlainLocation:
		path += "?_state=" + v.state(repository, u.ID(), size)
	case q.LocationQuery != "":
		path += "?" + q.LocationQuery
	}
	start, end := int64(0), max(size-1, 0) // an empty session and one of one byte look alike (P-317)
	if q.RangeOffByOne {
		end = size
	}
	if q.RangeOfChunk && size > before {
		start = before
	}
	h := w.Header()
	h.Set("Location", v.location(r, path))
	h.Set("Range", strconv.FormatInt(start, 10)+"-"+strconv.FormatInt(end, 10))
	h.Set("Docker-Upload-Uuid", u.ID())
	h.Set("Content-Length", "0")
}

// state is a session's state, as distribution has one: bytes that only the
// registry can make, safe in a query as they are.
func (v *V2) state(repository, session string, offset int64) string {
	said := make([]byte, stateSignature, 128)
	said = strconv.AppendInt(said, offset, 10)
	said = append(append(said, ' '), session...)
	said = append(append(said, ' '), repository...)
	v.sign(said)
	return base64.RawURLEncoding.EncodeToString(said)
}

const stateSignature = 16 // bytes, at the start of a state

// sign writes a state's signature into it.
func (v *V2) sign(state []byte) {
	sum := sha256.Sum256(append(v.secret[:len(v.secret):len(v.secret)], state[stateSignature:]...))
	copy(state, sum[:stateSignature])
}

// readState is the offset in a state that must be of the route's session.
func (v *V2) readState(state string, route wire.Route) (int64, error) {
	b, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		return 0, err
	}
	if len(b) < stateSignature {
		return 0, errStateSecret
	}
	signature := [stateSignature]byte(b)
	if v.sign(b); signature != [stateSignature]byte(b) {
		return 0, errStateSecret
	}
	offset, of, _ := strings.Cut(string(b[stateSignature:]), " ")
	if session, repository, _ := strings.Cut(of, " "); session != route.Session || repository != route.Repository {
		return 0, errStateOfOther
	}
	return strconv.ParseInt(offset, 10, 64)
}

var (
	errStateSecret  = errors.New("invalid secret")
	errStateOfOther = errors.New("state of another upload session")
)

// checkRange compares Content-Range with Content-Length and with what a session
// holds; without both headers there is nothing to compare (P-321).
func (v *V2) checkRange(r *http.Request, size int64) error {
	said := r.Header.Get("Content-Range")
	if said == "" || r.ContentLength < 0 {
		return nil
	}
	first, last, ok := strings.Cut(said, "-")
	if !ok {
		return v.options.Quirks.mistake(CodeRangeInvalid, "invalid content range format, "+said)
	}
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return v.options.Quirks.mistake(CodeRangeInvalid, err)
	}
	end, err := strconv.ParseInt(last, 10, 64)
	if err != nil {
		return v.options.Quirks.mistake(CodeRangeInvalid, err)
	}
	if start > end || start != size {
		return CodeRangeInvalid.With(nil)
	}
	if r.ContentLength != end-start+1 {
		return CodeSizeInvalid.With(nil)
	}
	return nil
}

// checkChunk refuses chunks that a quirk forbids.
func (v *V2) checkChunk(r *http.Request, u *Upload) error {
	q := v.options.Quirks
	switch {
	case q.MaxChunk > 0 && r.ContentLength > q.MaxChunk:
		return &Error{Code: CodeSizeInvalid, Status: http.StatusRequestedRangeNotSatisfiable}
	case q.OnePatch && u.Size() > 0:
		return CodeRangeInvalid.With(nil)
	}
	if q.MinChunk > 0 {
		if u.Note("short") != nil {
			return CodeRangeInvalid.With(nil) // the chunk before was too small not to be the last
		}
		if r.ContentLength >= 0 && r.ContentLength < q.MinChunk {
			u.SetNote("short", []byte{1})
		}
	}
	return nil
}
