package errcode

// Docker18 is the codes of docker 1.8.3. DENIED, UNAVAILABLE and TOOMANYREQUESTS
// came later (P-257).
func Docker18() Dialect {
	return Dialect{
		Unknown:                 "unknown error",
		"UNSUPPORTED":           "The operation is unsupported.",
		"UNAUTHORIZED":          "access to the requested resource is not authorized",
		"DIGEST_INVALID":        "provided digest did not match uploaded content",
		"SIZE_INVALID":          "provided length did not match content length",
		"NAME_INVALID":          "invalid repository name",
		"TAG_INVALID":           "manifest tag did not match URI",
		"NAME_UNKNOWN":          "repository name not known to registry",
		"MANIFEST_UNKNOWN":      "manifest unknown",
		"MANIFEST_INVALID":      "manifest invalid",
		"MANIFEST_UNVERIFIED":   "manifest failed signature verification",
		"MANIFEST_BLOB_UNKNOWN": "blob unknown to registry",
		"BLOB_UNKNOWN":          "blob unknown to registry",
		"BLOB_UPLOAD_UNKNOWN":   "blob upload unknown to registry",
		"BLOB_UPLOAD_INVALID":   "blob upload invalid",
	}
}
