package scenarios

import "github.com/pushcheck/pushcheck/internal/wire"

// opDocs says what each operation is, in the order of wire.Ops.
var opDocs = []docRow{
	{string(wire.OpPing), "GET /v2/: does this address speak V2, and whom does it want to see?"},
	{string(wire.OpToken), "GET or POST to the token service that a challenge names."},
	{string(wire.OpUploadStart), "POST …/blobs/uploads/: begins an upload session, whose address is in Location."},
	{string(wire.OpUploadMount), "POST …/blobs/uploads/?mount=…&from=…: takes a blob over from another repository."},
	{string(wire.OpUploadPatch), "PATCH of an upload session: a chunk, or the whole blob as a stream."},
	{string(wire.OpUploadPut), "PUT of an upload session, or POST ?digest=: commits the blob under its digest."},
	{string(wire.OpUploadStatus), "GET of an upload session: how much of it has arrived?"},
	{string(wire.OpUploadCancel), "DELETE of an upload session: gives it up."},
	{string(wire.OpBlobHead), "HEAD …/blobs/<digest>: is the blob there?"},
	{string(wire.OpBlobGet), "GET …/blobs/<digest>: fetches a blob."},
	{string(wire.OpBlobDelete), "DELETE …/blobs/<digest>: removes a blob from its repository."},
	{string(wire.OpManifestHead), "HEAD …/manifests/<reference>: is the manifest there?"},
	{string(wire.OpManifestGet), "GET …/manifests/<reference>: fetches a manifest."},
	{string(wire.OpManifestPut), "PUT …/manifests/<reference>: publishes a manifest, under a tag or its digest."},
	{string(wire.OpManifestDelete), "DELETE …/manifests/<reference>: removes a manifest or a tag."},
	{string(wire.OpTagsList), "GET …/tags/list: lists a repository's tags."},
	{string(wire.OpReferrers), "GET …/referrers/<digest>: lists what refers to a manifest."},
	{string(wire.OpV1Ping), "GET /v1/_ping: is a V1 registry there, and does it stand alone?"},
	{string(wire.OpV1RepoPut), "PUT /v1/repositories/<name>/: announces the images to the index, which names the hosts for them."},
	{string(wire.OpV1JSONGet), "GET /v1/images/<id>/json: is the image there?"},
	{string(wire.OpV1JSONPut), "PUT /v1/images/<id>/json: sends an image's JSON."},
	{string(wire.OpV1LayerPut), "PUT /v1/images/<id>/layer: sends an image's layer."},
	{string(wire.OpV1ChecksumPut), "PUT /v1/images/<id>/checksum: completes an image with its checksums."},
	{string(wire.OpV1TagPut), "PUT /v1/repositories/<name>/tags/<tag>: points a tag at an image."},
	{string(wire.OpV1ImagesPut), "PUT /v1/repositories/<name>/images: tells the index that all images are there."},
	{string(wire.OpDNS), "A host's name is looked up. An exchange counts as this when it got no further."},
	{string(wire.OpConnect), "A connection is opened. An exchange counts as this when it was refused."},
	{string(wire.OpTLS), "A TLS handshake. An exchange counts as this when the handshake failed."},
	{string(wire.OpEvent), "Not a request: something that the bench did, such as a restart."},
}

// codeDocs says what the registry API's error codes mean (OCI distribution-spec
// 1.1, "Error Codes", and what distribution adds).
var codeDocs = []docRow{
	{"BLOB_UNKNOWN", "The repository does not have the blob."},
	{"BLOB_UPLOAD_INVALID", "The upload session's state does not fit the request."},
	{"BLOB_UPLOAD_UNKNOWN", "There is no such upload session: it ended, was purged, or is another replica's."},
	{"DIGEST_INVALID", "The digest is malformed, or is not that of the bytes."},
	{"MANIFEST_BLOB_UNKNOWN", "The manifest names a blob that the repository does not have."},
	{"MANIFEST_INVALID", "The manifest is malformed, or of a format that the registry does not take."},
	{"MANIFEST_UNKNOWN", "The repository does not have the manifest."},
	{"MANIFEST_UNVERIFIED", "A schema 1 manifest's signature does not fit its bytes."},
	{"NAME_INVALID", "The repository's name is malformed."},
	{"NAME_UNKNOWN", "The registry does not know the repository."},
	{"SIZE_INVALID", "The length is not that of the bytes."},
	{"TAG_INVALID", "The manifest's tag is not the URL's."},
	{"UNAUTHORIZED", "Credentials are missing or wrong."},
	{"DENIED", "The credentials are right and do not allow it. Asking again makes no sense."},
	{"UNSUPPORTED", "The registry does not do this."},
	{"TOOMANYREQUESTS", "Too much was asked in too short a time; Retry-After says when to come back."},
	{"RANGE_INVALID", "The chunk does not begin where the session ends."},
	{"UNAVAILABLE", "The registry is overloaded or down for the moment."},
	{"UNKNOWN", "Something else, often within the registry."},
}
