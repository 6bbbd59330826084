package pusher

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// publish signs a tag's manifest, tells its digest and puts it. The digest is
// told before the registry has it (P-207), and the answer is not looked at
// (P-222).
func (r *repository) publish(ctx context.Context, tag string, layers []schema1Layer) (Published, error) {
	signed, err := signSchema1(r.job.Name.Remote, tag, layers, r.job.TrustKey)
	if err != nil {
		return Published{}, at(StagePublish, err)
	}
	p := Published{Tag: tag, Digest: signed.Digest.String(), Size: signed.Size}
	r.job.status(fmt.Sprintf("%s: digest: %s size: %d", tag, p.Digest, p.Size))
	resp, err := r.send(ctx, http.MethodPut, r.url("/manifests/"+tag), nil, bytes.NewReader(signed.Bytes))
	if err != nil {
		return Published{}, failed(StagePublish, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if !success(resp) {
		return Published{}, at(StagePublish, responseError(resp, r.job.Era.Codes))
	}
	return p, nil
}
