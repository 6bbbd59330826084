package pusher

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// pushChain pushes a tag's layers one after the other, top first, and its
// manifest, as dockers before 1.10 do.
func (r *repository) pushChain(ctx context.Context, tag string) (Published, error) {
	images, id := r.job.Images, r.job.Tags[tag]
	layer, err := images.Layer(id)
	if err != nil {
		if errors.Is(err, image.ErrNoLayer) {
			err = localError{text: fmt.Sprintf(r.job.Era.Words.NoImage, r.job.reference(tag), err, id), cause: err}
		}
		return Published{}, at(StageUpload, err)
	}
	var layers []schema1Layer
	seen := map[string]bool{}
	for !seen[layer.ID] { // an ID that repeats ends the chain (P-190)
		seen[layer.ID] = true
		d, err := r.pushLink(ctx, layer)
		if err != nil {
			return Published{}, failed(StageUpload, err)
		}
		layers = append(layers, schema1Layer{Digest: d, V1JSON: layer.V1JSON})
		if layer.Parent == "" {
			break
		}
		parent, err := images.Layer(layer.Parent)
		if err != nil { // docker never looks at this error and signs what it has (P-192)
			r.job.Log.WarnContext(ctx, "the chain of layers is cut short", "layer", layer.ID, "err", err)
			break
		}
		layer = parent
	}
	if r.job.Era.Manifest.RepairsChain {
		if err := repairChain(layers); err != nil {
			return Published{}, at(StagePublish, err)
		}
	}
	m, err := r.signed(tag, layers)
	if err != nil {
		return Published{}, at(StagePublish, err)
	}
	return r.publish(ctx, tag, m)
}

// pushLink makes sure that the registry has a layer of a chain and gives its
// digest (P-194, P-195, P-199).
func (r *repository) pushLink(ctx context.Context, layer image.Layer) (digest.Digest, error) {
	images, rules := r.job.Images, r.job.Era.Layers
	cached, err := images.Digest(layer.ID)
	if errors.Is(err, digest.ErrDigestInvalidFormat) || errors.Is(err, digest.ErrDigestUnsupported) {
		return "", checksumError{err}
	}
	known := err == nil
	if known {
		if rules.AsksOnce && r.pushed[cached] {
			return cached, nil
		}
		switch _, err := r.stat(ctx, cached); {
		case err == nil:
			r.job.progress(layer.ID, "Image already exists")
			r.pushed[cached] = true
			return cached, nil
		case !errors.Is(err, ErrBlobUnknown):
			r.job.progress(layer.ID, rules.Retry.FailureStatus)
			return "", err
		}
	}
	pushed, err := r.uploadLink(ctx, layer)
	if err != nil {
		return "", err
	}
	r.pushed[pushed] = true
	if !known || pushed != cached && !rules.KeepsFirstDigest {
		if err := images.SetDigest(layer.ID, pushed); err != nil {
			return "", err
		}
	}
	return pushed, nil
}

// uploadLink uploads a layer of a chain: POST, PATCH, PUT, HEAD (P-200 to P-205).
// Nothing is retried, resumed or cancelled (P-208).
func (r *repository) uploadLink(ctx context.Context, layer image.Layer) (digest.Digest, error) {
	words := r.job.Era.Words
	r.job.progress(layer.ID, words.Preparing)
	blob, err := r.openBlob(ctx, layer, layer.ID, r.job.Report)
	if err != nil {
		return "", err
	}
	defer blob.close()
	s, err := r.startUpload(ctx)
	if err != nil {
		return "", err
	}
	if words.Started != "" {
		r.job.progress(layer.ID, words.Started)
	}
	n, err := s.patch(ctx, blob)
	if err != nil {
		return "", err
	}
	if r.job.Era.Upload.ExactRange && n != blob.size {
		return "", fmt.Errorf("short upload: only wrote %d of %d", n, blob.size)
	}
	d := blob.digest()
	if _, err := s.commit(ctx, d); err != nil {
		return "", err
	}
	r.job.progress(layer.ID, words.Pushed)
	return d, nil
}

// A sentBlob is a layer's blob as it goes on the wire.
type sentBlob struct {
	io.Reader
	size   int64                // of the blob; -1 when it is known only once it is sent
	digest func() digest.Digest // once it was read to its end
	close  func()
}

// openBlob opens a layer's blob, compressed before or while it is read, whose
// reading tells of its progress under an ID. The caller closes it.
func (r *repository) openBlob(ctx context.Context, layer image.Layer, id string, tell func(Event)) (*sentBlob, error) {
	if r.job.Era.Upload.Buffers {
		b, err := r.buffer(ctx, layer)
		if err != nil {
			return nil, err
		}
		var body io.Reader = newProgressReader(b.file, b.size, id, "Pushing", tell)
		if b.size <= copyBuffer {
			body = &wholeReader{in: body}
		}
		return &sentBlob{Reader: body, size: b.size, digest: func() digest.Digest { return b.digest }, close: b.remove}, nil
	}
	tar, err := r.job.Images.OpenTar(layer.ID)
	if err != nil {
		return nil, err
	}
	zip := newGzipReader(newProgressReader(untilDone{ctx, tar}, layer.Size, id, "Pushing", tell))
	var body io.Reader = zip
	if layer.Size <= copyBuffer/2 {
		body = &wholeReader{in: body}
	}
	return &sentBlob{Reader: body, size: -1, digest: zip.digest, close: func() { _ = tar.Close() }}, nil
}

// A checksumError is a digest cache that holds something else, in docker's words
// (P-194).
type checksumError struct{ cause error }

func (e checksumError) Error() string {
	text := digest.ErrDigestInvalidFormat.Error()
	if errors.Is(e.cause, digest.ErrDigestUnsupported) {
		text = digest.ErrDigestUnsupported.Error()
	}
	return "error getting image checksum: " + text
}

func (e checksumError) Unwrap() error { return e.cause }
