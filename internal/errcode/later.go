package errcode

// Docker110 is the codes of docker 1.10 and 1.11.
func Docker110() Dialect {
	d := Docker18()
	d["UNAUTHORIZED"] = "authentication required"
	d["DENIED"] = "requested access to the resource is denied"
	d["UNAVAILABLE"] = "service unavailable"
	return d
}

// Docker112 is the codes of docker 1.12 to 20.10 (P-257).
func Docker112() Dialect {
	d := Docker110()
	d["TOOMANYREQUESTS"] = "too many requests"
	return d
}

// Docker28 is the codes of docker 28 (P-325).
func Docker28() Dialect {
	d := Docker112()
	d["PAGINATION_NUMBER_INVALID"] = "invalid number of results requested"
	return d
}
