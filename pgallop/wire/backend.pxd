from pgallop.wire.reader cimport Reader


cpdef tuple authentication(Reader reader)
cpdef tuple backend_key_data(Reader reader)
cpdef tuple parameter_status(Reader reader)
cpdef int ready_for_query(Reader reader) except -1
cpdef str command_complete(Reader reader)
cpdef dict error_fields(Reader reader)
cpdef tuple notification_response(Reader reader)
cpdef tuple parameter_description(Reader reader)
cpdef list row_description(Reader reader)
cpdef tuple copy_response(Reader reader)
cpdef tuple negotiate_protocol_version(Reader reader)
