/* Made by key_vectors.py with openssl(1) and python's cryptography: see there. */
#ifndef FIREBREAK_KEY_VECTORS_H
#define FIREBREAK_KEY_VECTORS_H

#define VECTOR_MESSAGE "firebreak test vector\n"

/* Signatures of VECTOR_MESSAGE, good ones and such as must not count. */
static const struct {
    const char *what, *keytype, *scheme, *public_text, *id, *sig;
    int valid;
} vectors[] = {
    {"P-256", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n",
     "5a5b87ced76a9b3873fa3790e39ec9a0c75f83e42b8e6db355b48a4f6cb02ccc",
     "3045022100e936e639ba86588fbdf2d7547a38985bd7588d3c6747970854beaf7024c1ea6e022065"
     "fc66675a30e2291a06976d85eff76023bf28cff43ee094bb07b977ab854339",
     1},
    {"P-256, older name", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n",
     "86a5882778b6e56b059adbabc5d0e1783056fd3bf18cc4b25a3ebe4c58e5632c",
     "3045022100e936e639ba86588fbdf2d7547a38985bd7588d3c6747970854beaf7024c1ea6e022065"
     "fc66675a30e2291a06976d85eff76023bf28cff43ee094bb07b977ab854339",
     1},
    {"P-384", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     "9a1e7cbd6790d258532227f23a82afa2f6cd527d480127f94d12976e85be91b3",
     "3066023100d92bb08c9e54abcc47aba2deddf72c0942b26c6d2fe36f0031af4389552501a463038c"
     "1ae73eda6cee822363de67edd1023100f3c08111e9ea59ec4265606d78d733b2580985c7018f11e7"
     "bad7aadda2774b0f3ca3fa6dad20b0ae741f0f659f8d2df2",
     1},
    {"P-384, older name", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     "89fd02c7e3468070a73bef8bc1b2181cfe90b0a995236c4b38882de2c7863435",
     "3066023100d92bb08c9e54abcc47aba2deddf72c0942b26c6d2fe36f0031af4389552501a463038c"
     "1ae73eda6cee822363de67edd1023100f3c08111e9ea59ec4265606d78d733b2580985c7018f11e7"
     "bad7aadda2774b0f3ca3fa6dad20b0ae741f0f659f8d2df2",
     1},
    {"P-384, no newline at the end", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----",
     "833b8c1a75e6f08726aafb02ace5b31db548786ee220d68c4c814deeecf16a4e",
     "3066023100d92bb08c9e54abcc47aba2deddf72c0942b26c6d2fe36f0031af4389552501a463038c"
     "1ae73eda6cee822363de67edd1023100f3c08111e9ea59ec4265606d78d733b2580985c7018f11e7"
     "bad7aadda2774b0f3ca3fa6dad20b0ae741f0f659f8d2df2",
     1},
    {"RSA 2048", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     "f5dd0a60ece511322e20539a047781d99b346ddae73652de8848900b888b7a67",
     "418c0048d1d14a14b45ed188080382d689466f68684309f6ee6d396c748658f62e6ba65d24691626"
     "f18a2c6436f3eb155142a3e09bbd43e43ce7a0a84e02ad51690037219a61e4f2dfe8b1a52db81eb9"
     "71f61bb699c51773c5a1a593168097aae4dbad6c216da4886d0e08e247c236d164f1f40746e50601"
     "7bdcad81fc763d78298fc58a505a13e784de71a4826b51af4c3d95452b1cf620f3c155a149a899f2"
     "6eaa4063971c0d0f9da88c691474667b1abaf826196632743c5e18321f73660fa8bcf21e90fbd889"
     "ffc1725d572e99c8529626f9ac14e3d71dabf73ffd7d2dd947267a042573b1b570eaab65d7e4b728"
     "3274de5897a28ee4dc2ad629db8e7b4b",
     1},
    {"RSA 2048 by python", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     "f5dd0a60ece511322e20539a047781d99b346ddae73652de8848900b888b7a67",
     "886fcade83d9ee2865e2509f0ff032b0325207c7c80164256a40e301aacadd0618f41c931a11cf22"
     "aa1a4949a155188c3caad5d37c148fa2b5e4a489e48b277eca8b4096263d2aede8dace4b352e2650"
     "3513692244cde661e663e67dfd22f3130473a876b63c189fc69d007b479cea7765e1a241e422aeb7"
     "32f076ca0c720786823e2696473d0222979ffa78970f553a13568b80c15d1316866b9b6b3d1fec9a"
     "4236e5021a73bf8a55d6d764daca57d81582b525dc150a774e9a6fac8ce09cd6046c52cb89b9f189"
     "6ec06b8ff65b7ca898ac34874393ab7c86155fc136106664b9101ff3dcb984adce981ee05e3053f2"
     "6db2939b18723b09782826ef05c88891",
     1},
    {"RSA 8192", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIEIjANBgkqhkiG9w0BAQEFAAOCBA8AMIIECgKCBAEAp8MzOJWEn6rtRfqAHr2p\n"
     "5Qc3YChr4FsT1UcGhpLkKDkLA3TxWQunRAtCMHQludkOXicdKpKWLlf0w3eybdPL\n"
     "orsdC3RI+mWNKelXDKwquoVIpog84kYR6KPnOZRn0N1C5oyhKoGqw1BfkFgLfcMF\n"
     "OoQKId8TXVXgDE9+fIgzz/Sts8X/GLDPEuDwk7Noku511izqIAcTfoB5yt6rqPbH\n"
     "cW/7J0gYw5au+YlFAlMCTPlnXG4IQsr09zHPy45m0G33NDiVDA2i+Iu2zCTdiqlb\n"
     "Xxxws1CYwb9fKkrztvOcRnIaL5Naqyc6tILirG8WPGkl5gTKYBNW0J5ZZD+kCS42\n"
     "0J0f38Isnop7M9smGMYp/Fq/I4Mlo9tPf490rqKizhtn2TDY3WSWtPRoRK2cFY0S\n"
     "zmW46Xofoy9u8Q5ay3H8+KC7zIoYQxYP3a0isNjVzEPw2MBfUz2imR7NBI9R6ZTn\n"
     "bPutgzG5rfk7Mt1OUlqhrucxyvS6cAw3XsvZcdaJBF8b1rlJgEcW69tb6mWMP1IC\n"
     "HVnySGeyUS1X1e3jxlIJLX5Fg/4qJswueyCX/bVtJQ3b8BdBF5/bZBKY8cxGnDPW\n"
     "RZnIABCQdvddnAkB32GjHLL4kuuQsG4zTAQNeLtOjvWTgUAFRwkACMKsR290vzOg\n"
     "uYLVCO+XanRcDQIpx9LGoru8oAC28xCssOoVsCxLRH0QWhYVWlWM08+ZnHYxkjch\n"
     "NjG4F7zfNbfpfMQhxcfuyKXFhDg/H1yIQP0daS4xi0kbN/qb7sGnkyzfJhh4dVF8\n"
     "d4lNuORwiwdfPg1YEjPplsQIvt/zTLHvob0lTYTanXnle6Oza1quP4tiEg1GlsCU\n"
     "8S19QrtNh214qXDMIReVjV7l3h5qFdGPSrmJF+RelOH2OcrCBzTAv9FoZoljmvh/\n"
     "qekFCfZCjAP6vq2QgzByOk6YNOW13iOFM0MbuqdBAVhGqIvoPd7/T6NY5B5FfQRx\n"
     "78Q6dhyi1Dt+AM5hT+0i37Ngg4bp+94uV4XD5HXvYHTL+rTRUuG4q1t80/kG9buS\n"
     "cKra1Fzj6Z6p9+1g9YZf57J5mvDAmsy9v9Iay0iiyvdcF0bgOx8xf5BUYusHlBj5\n"
     "xf3AdoO9UDS2f8rLKfDZzwU1XhjVgvGhQiSx7fJR4nW9KQyYwCFEfa/G0ZBTZn81\n"
     "sAyxEgqzMHVouQ6RBNeoLRlaHquLlEbV/SgkaFRp6XW3rYYXr/4F7tAVw4FoLlGy\n"
     "We3/RLuIKcXT4mw4uDNSrK8KLnWLOhRilH+XYURjM4yAONFTkPRCu4C/9C2w3cUq\n"
     "Ri7r9ueIGnA21JaUavLxsRKNAFQddjelfP9ZqaalEd6QaclggPxNYI/bsfBpy+Qs\n"
     "9wIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     "24a60816bb64abfecedd0546b1990475f42cd5bc7a6a72ccee491e25e60e8d12",
     "3edf3a35850b479d3f204f7723ff77e2ab0b885e789a9f30dee0d9e7b8c057410f7d497830b98912"
     "af2ce44bbe62148b891c77526068e1806e1708fbcfedba3b00d586d25025ab377fce3a9e54be32c1"
     "7cb9975f6c726f90c60e89e4b46dd0ad0dec48ed534ff940e57f4149552a7914591d3a7443ba05d6"
     "711bbb9937c8490d129e2ce177f2ed225067fc25313cdeb24e193ce9a76b98ecb96f271e20606e03"
     "8213a3698d47bbbb3f4a5481d4e57590345be1a2f8fdb8f373bc3ff2e0abddf9818ce1a4014a7367"
     "fb7857aea78c62e958d1332e7063284b7cdad4a1fcdc386be2a0ed133c2d8377bbb479b287bcf7be"
     "1fbd62527784ec73a25fe0becf05ab012a8c616872000e81637e457b264bea4b0506f81492951cdd"
     "562241ca4759e81de6d7a526087e9e2e78b23c898a6c17b912c8d3f4d7cb5c2ede7be0b3e9aff840"
     "abc637b2ec77b2962754c862d64bf8ee5344de33cef36da9dc6ffc8ffba677c510d4ea4bf1be3f74"
     "d67c02697926c0646305b9a6c2d9917fd7e8f8b30776cd9f87d4cc939751669c2671dbdff19c9973"
     "fe007c502ee990ef251424f1637945ac5af72a122e72dd197424c99de8ccc3719581a8fd4e6eb9aa"
     "911d06c7792c5378cf8e9de1b1cdfaaef48e08d817eb24ac7877eb358853296dc11bb444cbd46b4d"
     "4c8ce13a0c7d0768a2d1e52e6a0adde5a6111598cec136069dbdf4f7bb02ca2610a511ad848c9c0e"
     "42e7cf6a5743eb12829f31a68132f2c0facc4e358f50709573b8a8796c580bb6de0e0275df58ed22"
     "63d4ba740a2492b0c850cb0db48f0e814dd7c7573f601d7968ce97c0ee9ff5295dbb09c464a4a2bf"
     "5ac23de33dba25d907f52df13ad363ab0d0c0d08175f57b8e5adae36bfd7c522e241c288899c7a8e"
     "90fd74b198cd5a47ccaa7ab8ecf6bb0eea77ebace10fd1d2cf4ea00b8991574c3fdfc11e6292d22c"
     "452cca619b0790298088e5dba1a9a4ef54b1d2748f4467ba293ce8a34ea8e75d655c9e0299e94090"
     "ebb13e65c9d6a92add14b22da6bf62822d299aebe276505a05b5967d0ec0f75e52a1584b1ff674d0"
     "54c3709bfa54a38fcc63e0a1148ae9e60b59dbbd9b205fc4615627d47414781d12ffcac1425d01c1"
     "31121cc66f889b68cd5aae4ff672e78227ec6f781c30aba5ac5f92f5f64a17a00f15f72f570ba4e3"
     "70983e1eb8b4d82824ebac132681876a40bda22aca5b057c95ffac4a752570bfd799551e6f5e0ad7"
     "fe8c9c96335e3e103d7b6a251baa2f4acdf7018396919cd02f2a62bd54d2a679770cb1f85608a82e"
     "6db38e37837042c03b184b793955467f6407fd96ecf2803206a7179bd1b169bb5f57486d7ecc695f"
     "282f9b60920f17a5d267b4e1ecb41a81a2f7b80a0db12589fb3ad52d725cd14d93872309c7b7f511"
     "9bd4b595fbc22503912d1f3678e450b2914c9d1f5f4e2bdf",
     1},
    {"P-256 over SHA-384", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "3044022065a5acdddc0b1b3e562a37acf173d6faba4ef8b2de4eae3c9376aa4bbd86b52702205182"
     "a01d61f5aafc8881e4acadf1c703cf4e99309d9ed9a483019189ce707748",
     0},
    {"P-384 over SHA-256", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "306602310082e489886b4da7ea4c12c5d4a5dafacbf5518e91e20bd9fb4a097c64b9973b8bff6c16"
     "36215681ba0bbad926e80ca177023100cd6c02dfab811583ad5eb7b232d553bba174b53b4833563e"
     "0cb6638c939f47a0aa774018095f7b9c319377c1e5631fb0",
     0},
    {"P-384, a byte after it", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "3066023100d92bb08c9e54abcc47aba2deddf72c0942b26c6d2fe36f0031af4389552501a463038c"
     "1ae73eda6cee822363de67edd1023100f3c08111e9ea59ec4265606d78d733b2580985c7018f11e7"
     "bad7aadda2774b0f3ca3fa6dad20b0ae741f0f659f8d2df200",
     0},
    {"P-384, cut", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "3066023100d92bb08c9e54abcc47aba2deddf72c0942b26c6d2fe36f0031af4389552501a463038c"
     "1ae73eda6cee822363de67edd1023100f3c08111e9ea59ec4265606d78d733b2580985c7018f11e7"
     "bad7aadda2774b0f3ca3fa6dad20b0ae741f0f659f8d2d",
     0},
    {"P-384, raw r and s", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "11111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "11111111111111111111111111111111111111111111111111111111111111111111111111111111"
     "11111111111111111111111111111111",
     0},
    {"P-384, by another key", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "3045022100e936e639ba86588fbdf2d7547a38985bd7588d3c6747970854beaf7024c1ea6e022065"
     "fc66675a30e2291a06976d85eff76023bf28cff43ee094bb07b977ab854339",
     0},
    {"RSA, no salt", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "10a862757a7f0de8778087d1d300b963cfeebc403c635dc1734a0bd3012aa42b575c45843e06f899"
     "f64be4c7dce9e0ca242fdd366dc2395baaeef76ceebfcb039751bb3eb7764c21c887c60ce22caa91"
     "e5e559cf6747ce699432bbfbfb2fc31c7f16e608ceb953badc87b1fbce9acce0cafe48bc9e9c2d31"
     "77c82b549cb42ea02b6f47992c00c2c93189087aa26394a9fcde262cf409b23d28bb20f127f8a2ae"
     "98ca2d5d360112d042512eab0231b7fa69f5fd271d8a53060aa8f0f78d127d2a2342c71e08f000b8"
     "c626d7b2cdf9c3cc85ca4297d709a11a9c2dde082e367376d98fbccdecefb5fae619e1e4c9672c35"
     "f69ce89703c2aa430bdb0428bb6d768d",
     0},
    {"RSA, salt of 20", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "13ee092fab3976f587d1f913c6dc65936acb5b33992af9d16084d6276014f3c13c739a6d4a0ad3a9"
     "db0ac33ed045d12b5ecf6912f3c68ee10799c5e7f2650cd6399fe02f76090082be416332b33bd9bc"
     "83409e8d7ed3e1a6cc0d23557bbec1c0bd4e807e16fca4d6df82ff1c6b2e8b3757aaaee81dccff4b"
     "dc5e6811de4d917fd2bf5a0391e0a4b4eb7b31bd1eb8510232c4d50561c78adc81940c5b98cdc3bd"
     "e73de713e91b48b2bd6804f5925c98e6d595461469b8f0c39b3f9db2e2ac192e10dde479d6f8b7a6"
     "7b44a16515acc5b1422eef449756880fc808b10fe107d4a4dfd5d7c34064c4b018a3a16aafdbdfd7"
     "026369f763b25da9e426355ecbe15e74",
     0},
    {"RSA, salt of 31", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "7ae2fe704ec1434707c86bbfa33df49e8c37fb0915a8baa2e8103112db2869ef59425acbc0f08c7f"
     "c5759144d994f960ed45a9b94aed9f50a36ec13a92b96b81e5cce03c784436d745d8add510fbf0c6"
     "6d9705d4b94a8cc8a49f6c61b14830ea5bf74d327cb7c30f4f7ba71b17cdbae1a13ae35e0d5f1f8a"
     "8a3a0e443733430228d3d50beb78bc7bc9bea4af71f73449967439fcb957fc4e80312ef59276a898"
     "9b74baeff6147056823aad88844d925043f0cb14c4670e506b3e85e8c116b247f1f8f4772fe31212"
     "1c9ac4aa60f6142c969c6c584de822efe34eb8aac64001a77133970f1433a19f02ea6908e73bbfff"
     "e1e179ce661a6ea782b65d9f4b3c9d2e",
     0},
    {"RSA, salt of 33", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "5b33ede2ab09cc224c1cee4bcc4ac69a9c38e1e3ec006ba5b40527991311194d2ac93c73bdab44e3"
     "83b9753ebfe8f1356d925282fff3db161374352c4a5cf308ce86ad22f9a37ba0d4357e03c6a8b115"
     "9c7356a4fd04beae76f523e3f17fb1afa9e318e1fd446a3cdf8547a38f1b72896cfa0d0d7ae3af33"
     "f01856904af7f7a4b019bd10877c3d1ff0eca23c05f1a02889d474a5ae9e8f0805ada1514fc8fb59"
     "23494a6786ea8e7050819bfc2631ddaf77e199ab23340e7d36c323b3cd685e6bad8cf549708a0cae"
     "e4c44bebd6b36a7e41bf027ed00f16918a4f378204aff032c7a317729e9b6cf31e1383453ceb9b4b"
     "b87f680ce64dea1636191e5a4eaaccb9",
     0},
    {"RSA, longest salt", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "88fff1b2209e0f5314f09c0ffe6dee385c903a242cb475a4f9b5928cfcf90d0b148af01bbf97cbad"
     "57e01daedfe781fa148513b59a0dd3663f3d20e4ead869f4718a8256bf87b037861ccf58e7750082"
     "15946c273962523047846990743cc5832e14c9e12f5951116983a76d1c01b0b932c2aba8c6f704ca"
     "b404d6c7df08e3f51ebe9a1a377fb2a2af87887f8bfdc8d6a413418904c50f419afc97a889774e80"
     "c3e8d1ee74e3854aa0167629da9ad8304e8490fc23a95d244c37a01944ea778cc2b0d092b8974459"
     "14fcc9a8fb04b72acd912b6f8c12eccc6fbd96403d67383f7bdb726a1d8d6a5a2d8fb9d1b4bdb95c"
     "42a91a4a5424880be647752fa30eb611",
     0},
    {"RSA over SHA-512", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "7eb48ecd4a7b7bef117b8f4359728a15491d0fa1d64374e3f35d065c5564c72a16c8b1f64ffbfaf5"
     "cd5d51290298594babdcbeb9decb486b554c0550e03ba4e6e1f99919485e4c6fcd68b04d06d6e204"
     "285b8efe47a6032719722f3c73a99c1c97c0c4fa48e0e64042ec48e80af2a0e815573bf9256a9cc9"
     "a3a7b46fc522e0c750dba8e5edbbc68b4e1b7256526ea10c4c91d68ab37b1461970b89ca663b6a7b"
     "fbe6d76e32076d835114191c09fe58554a53a6f6d9aa16dc4c832fab0a5fa9ced1c2bebd0cdf5ea5"
     "3cad34914cc69b51bab5d489da4b40bb3cadc4859127b3bcb5f8fb8afbd16e0e8c57e895a83f3d10"
     "3d4106f44c5b759a965cfd0128989f94",
     0},
    {"RSA, MGF1 with SHA-1", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "8ebb4eb596b95ab350c49746182c0e6899d8d8524266cca8e6756fc7a09071dc9dbb4a1fde144f3f"
     "1f91236acfb5b19ad6c5e1f2e6cc2b54440266401a6807381838597630bfb0144a8ef39d2eab729d"
     "19263ad9cf85abe781334bacc570c6f8a39932debf9fc88bc4c9499989bdeba006cbd5ccdfc605c1"
     "8f2ddc4ca1502d9f9a732e9a66d81ae42eee29332a7963bc36774fb793aa8fbd287f67688b236d26"
     "7e485cdbc541cc9373c4f8e112a2404d6090aefed1e60d0dead3a467c7521eecd9de9ea1f23f5c6f"
     "b3737c63795b628627d852b9c9ee4bde02e4cdc110a0b606749841d4bbaa371140276856e1888e84"
     "3859b1e1f9fd8346d4371118841b1338",
     0},
    {"RSA, PKCS#1 v1.5", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "25d15dade854088193af175187918584a83d585fc3913542d4e1bf24bd2441e875b150a082989049"
     "6edb85d18f8d3c6ddccb66f70ea17ace401044ac1bac53b68b4e08b6d94ee7fac1c4d48e426e90b0"
     "2bc60f938b5c7356b8ac523d142b19181117037fa4f2f9949f9d82439b3435b0945b2762d0168173"
     "0eee02df1710bb06d63cda9dc4d4cfa8c0af0795c291643ce00fdec454261720e4980d032016df01"
     "deaa3b0b18a27f90d95e618b356ba5a841dd03538a32010b52031d2e0d73d75c77eeddea45f3c0b9"
     "558dc147dadbf14bded271b1636d713fa1965f6bd2d2909602655d7f95c84b30a97349f191597b27"
     "048fe0c185ba46cad4da970dfb973da9",
     0},
    {"RSA, cut", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "1312068680f4c2fccacf89601650914dd0c1d035435daf330990d3d948369118fc83249140db42cb"
     "d9dc61d452c26aa0babf10bf29a05caabfe7c9e4d0b6d69c6646d5f9bf82543e55ef26edd5eabc6f"
     "6cf7a96a7642cfce4632b6b5df4787cce3263d87d41a7574c47b7ed292d9747b373b99785cfc141b"
     "57897e564bc801e2f4d858483ac61e024d5b19b748628c3530dd0aa220ac35654446020741213ea6"
     "22dd24d178627914f4191597d32071b04a2a4985ee5c3b6e80f4f56c1de2bd36a59cb79e6d124958"
     "2e3fac3095319a7f3f0d38852c46c7b42d6888349bd5406b37e986d7a9de55aec0571506b5975c6c"
     "048b0e51c6b3a8d07f915f9e649102",
     0},
    {"RSA, a byte after it", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "1312068680f4c2fccacf89601650914dd0c1d035435daf330990d3d948369118fc83249140db42cb"
     "d9dc61d452c26aa0babf10bf29a05caabfe7c9e4d0b6d69c6646d5f9bf82543e55ef26edd5eabc6f"
     "6cf7a96a7642cfce4632b6b5df4787cce3263d87d41a7574c47b7ed292d9747b373b99785cfc141b"
     "57897e564bc801e2f4d858483ac61e024d5b19b748628c3530dd0aa220ac35654446020741213ea6"
     "22dd24d178627914f4191597d32071b04a2a4985ee5c3b6e80f4f56c1de2bd36a59cb79e6d124958"
     "2e3fac3095319a7f3f0d38852c46c7b42d6888349bd5406b37e986d7a9de55aec0571506b5975c6c"
     "048b0e51c6b3a8d07f915f9e649102cc00",
     0},
    {"RSA, a zero before it", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "001312068680f4c2fccacf89601650914dd0c1d035435daf330990d3d948369118fc83249140db42"
     "cbd9dc61d452c26aa0babf10bf29a05caabfe7c9e4d0b6d69c6646d5f9bf82543e55ef26edd5eabc"
     "6f6cf7a96a7642cfce4632b6b5df4787cce3263d87d41a7574c47b7ed292d9747b373b99785cfc14"
     "1b57897e564bc801e2f4d858483ac61e024d5b19b748628c3530dd0aa220ac35654446020741213e"
     "a622dd24d178627914f4191597d32071b04a2a4985ee5c3b6e80f4f56c1de2bd36a59cb79e6d1249"
     "582e3fac3095319a7f3f0d38852c46c7b42d6888349bd5406b37e986d7a9de55aec0571506b5975c"
     "6c048b0e51c6b3a8d07f915f9e649102cc",
     0},
    {"RSA, by another key", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIEIjANBgkqhkiG9w0BAQEFAAOCBA8AMIIECgKCBAEAp8MzOJWEn6rtRfqAHr2p\n"
     "5Qc3YChr4FsT1UcGhpLkKDkLA3TxWQunRAtCMHQludkOXicdKpKWLlf0w3eybdPL\n"
     "orsdC3RI+mWNKelXDKwquoVIpog84kYR6KPnOZRn0N1C5oyhKoGqw1BfkFgLfcMF\n"
     "OoQKId8TXVXgDE9+fIgzz/Sts8X/GLDPEuDwk7Noku511izqIAcTfoB5yt6rqPbH\n"
     "cW/7J0gYw5au+YlFAlMCTPlnXG4IQsr09zHPy45m0G33NDiVDA2i+Iu2zCTdiqlb\n"
     "Xxxws1CYwb9fKkrztvOcRnIaL5Naqyc6tILirG8WPGkl5gTKYBNW0J5ZZD+kCS42\n"
     "0J0f38Isnop7M9smGMYp/Fq/I4Mlo9tPf490rqKizhtn2TDY3WSWtPRoRK2cFY0S\n"
     "zmW46Xofoy9u8Q5ay3H8+KC7zIoYQxYP3a0isNjVzEPw2MBfUz2imR7NBI9R6ZTn\n"
     "bPutgzG5rfk7Mt1OUlqhrucxyvS6cAw3XsvZcdaJBF8b1rlJgEcW69tb6mWMP1IC\n"
     "HVnySGeyUS1X1e3jxlIJLX5Fg/4qJswueyCX/bVtJQ3b8BdBF5/bZBKY8cxGnDPW\n"
     "RZnIABCQdvddnAkB32GjHLL4kuuQsG4zTAQNeLtOjvWTgUAFRwkACMKsR290vzOg\n"
     "uYLVCO+XanRcDQIpx9LGoru8oAC28xCssOoVsCxLRH0QWhYVWlWM08+ZnHYxkjch\n"
     "NjG4F7zfNbfpfMQhxcfuyKXFhDg/H1yIQP0daS4xi0kbN/qb7sGnkyzfJhh4dVF8\n"
     "d4lNuORwiwdfPg1YEjPplsQIvt/zTLHvob0lTYTanXnle6Oza1quP4tiEg1GlsCU\n"
     "8S19QrtNh214qXDMIReVjV7l3h5qFdGPSrmJF+RelOH2OcrCBzTAv9FoZoljmvh/\n"
     "qekFCfZCjAP6vq2QgzByOk6YNOW13iOFM0MbuqdBAVhGqIvoPd7/T6NY5B5FfQRx\n"
     "78Q6dhyi1Dt+AM5hT+0i37Ngg4bp+94uV4XD5HXvYHTL+rTRUuG4q1t80/kG9buS\n"
     "cKra1Fzj6Z6p9+1g9YZf57J5mvDAmsy9v9Iay0iiyvdcF0bgOx8xf5BUYusHlBj5\n"
     "xf3AdoO9UDS2f8rLKfDZzwU1XhjVgvGhQiSx7fJR4nW9KQyYwCFEfa/G0ZBTZn81\n"
     "sAyxEgqzMHVouQ6RBNeoLRlaHquLlEbV/SgkaFRp6XW3rYYXr/4F7tAVw4FoLlGy\n"
     "We3/RLuIKcXT4mw4uDNSrK8KLnWLOhRilH+XYURjM4yAONFTkPRCu4C/9C2w3cUq\n"
     "Ri7r9ueIGnA21JaUavLxsRKNAFQddjelfP9ZqaalEd6QaclggPxNYI/bsfBpy+Qs\n"
     "9wIDAQAB\n"
     "-----END PUBLIC KEY-----\n",
     NULL,
     "1312068680f4c2fccacf89601650914dd0c1d035435daf330990d3d948369118fc83249140db42cb"
     "d9dc61d452c26aa0babf10bf29a05caabfe7c9e4d0b6d69c6646d5f9bf82543e55ef26edd5eabc6f"
     "6cf7a96a7642cfce4632b6b5df4787cce3263d87d41a7574c47b7ed292d9747b373b99785cfc141b"
     "57897e564bc801e2f4d858483ac61e024d5b19b748628c3530dd0aa220ac35654446020741213ea6"
     "22dd24d178627914f4191597d32071b04a2a4985ee5c3b6e80f4f56c1de2bd36a59cb79e6d124958"
     "2e3fac3095319a7f3f0d38852c46c7b42d6888349bd5406b37e986d7a9de55aec0571506b5975c6c"
     "048b0e51c6b3a8d07f915f9e649102cc",
     0},
};

/* Public parts that no key may have. */
static const struct {
    const char *what, *why, *keytype, *scheme, *public_text;
} broken_keys[] = {
    {"P-384 where P-256 is claimed", "is not a key for", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE9prHBiKkyK7B6tcz54B+BvxxLsXenGTB\n"
     "WirtAVJ2EBYddTlOuUVq2FSEV8q1ZjGP8ifzbhnHY3HL3unJeVWhqVrcRpbAcFhG\n"
     "g9+20Om1Dsk3zE4w8xFERo/kowsGV4Fy\n"
     "-----END PUBLIC KEY-----\n"},
    {"P-256 where P-384 is claimed", "is not a key for", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"P-256 where P-384 is claimed, older name", "is not a key for", "ecdsa-sha2-nistp384",
     "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"older name with the other scheme", "is not supported", "ecdsa-sha2-nistp384",
     "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"P-521", "is not a key for", "ecdsa", "ecdsa-sha2-nistp384",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBDIjkVqxEc8MWl8qC8njIsT4Nt2yH\n"
     "NqiPbC0pvTS4rFLd7ugnSnVt8PFjrHjJA0QMLKSYDJAEW/Ss1gVCK6IbQVMBtMl/\n"
     "m5GNFZ4qg2fOONvuhmQyzpgZ8Hqn8R58I07p9sUG6bmej61Xx02+AmxTSEaUEQwZ\n"
     "mDn3yHiUVOtN60Akni8=\n"
     "-----END PUBLIC KEY-----\n"},
    {"secp256k1", "is not a key for", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEe4EEOBfgRmeZnbYIzHjAob6he0x1I8rq\n"
     "y4mhAKgj9GIwfoRQ36UE3d4za79lHFtc2k4qJoi9haVG/FExnvsIuQ==\n"
     "-----END PUBLIC KEY-----\n"},
    {"RSA as ECDSA", "is not a key for", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n"},
    {"ECDSA as RSA", "is not a key for", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"another RSA scheme", "is not supported", "rsa", "rsa-pkcs1v15-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjS\n"
     "cIH6ji0dx0TvZtopvS8fvpb16vKwA4kSfeX6lJd9frgT74Rwd6EztFcMESrF6RGN\n"
     "E3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG\n"
     "8OpFcVq16WLWd6uMYlCLrfFLdtLdq69JTqWQXxf+BVPalJlRB0RFxWLwpO3F4Erf\n"
     "yhxhAa/g2bn8cj2LsPjlRd6W8unywkSysNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAY\n"
     "hgTDFVfryBuYf3MnzNA1u32zqYGRka9axYcHIBJCVz7LKuHeDMubbjsm+6S+px9t\n"
     "BQIDAQAB\n"
     "-----END PUBLIC KEY-----\n"},
    {"RSA of 1024 bits", "fewer than 2048 bits", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC9RfzfJe+UD8vVAKNUlOc8W3aY\n"
     "AsZv+ODkXJc4g+J/nZiDF/TaeK/8rnw1o8vjwPbVb7YNYhhfqhACpnUVwhaSLmYt\n"
     "xIVUIrAeSamjw2TktLNNvNVYsPPO/Wubwsi2+8VsudrQ8PHYIb6gexiqyVLEoFaz\n"
     "rqAZgND5TsnrmHnlSwIDAQAB\n"
     "-----END PUBLIC KEY-----\n"},
    {"RSA of 2047 bits", "fewer than 2048 bits", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBITANBgkqhkiG9w0BAQEFAAOCAQ4AMIIBCQKCAQBAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n"
     "AgMBAAE=\n"
     "-----END PUBLIC KEY-----\n"},
    {"RSA of 8193 bits", "more than 8192 bits", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIEIjANBgkqhkiG9w0BAQEFAAOCBA8AMIIECgKCBAEBAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AQIDAQAB\n"
     "-----END PUBLIC KEY-----\n"},
    {"RSA with an even modulus", "even or trivial", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAgAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAIDAQAB\n"
     "-----END PUBLIC KEY-----\n"},
    {"RSA with an even exponent", "even or trivial", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAgAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
     "AQIDAQAA\n"
     "-----END PUBLIC KEY-----\n"},
    {"key for RSA-PSS only", "is not a key for", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAMZ9a9X3AypqeMGVAC/JiDMP\n"
     "m5v+ReIlIQbgTNkJ0LObqwfl+ndZlt796s7hFkncIdkuFz3VXUhd5zzPmkD3Z4er\n"
     "kZwQLFbimhuyu+ZvokNX0pkUwIa5+CEzLVn2cApblUsZWFhjUxVyhYO+xvQ/wPih\n"
     "3Hv/evV/BH12TqybkzbHl+KL9EB9syG80AbSys3N9COVUPqiI4rR3xbXRl/KEzfO\n"
     "JLbDjgDsybIGcTgzruGYFEjpGrt0ODqoFbkBmoqEX3KY0rDozhyEZuuU3HcJuetx\n"
     "06+fYdQP6GZhPQSdjb9M1matUYbq8IRBhoJ2T0ZeFgfpdJit36GGZ7D4pjNEFu0C\n"
     "AwEAAQ==\n"
     "-----END PUBLIC KEY-----\n"},
    {"curve spelled out", "spells out", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA\n"
     "AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////\n"
     "///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd\n"
     "NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5\n"
     "RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA\n"
     "//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABGOLu20f7tzhdWBL5RlfIIXL\n"
     "LuP3HPtLRY1LoSzu72mRgX6Hz70TgVSVbNjJSORmkImJn3DOagaKOXOh9j1Klhg=\n"
     "-----END PUBLIC KEY-----\n"},
    {"point at infinity", "not a point", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n"
     "-----END PUBLIC KEY-----\n"},
    {"point off the curve", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeQ==\n"
     "-----END PUBLIC KEY-----\n"},
    {"text after it", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"
     "x"},
    {"another block after it", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"text before it", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "x\n"
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"bytes after the DER", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeAA=\n"
     "-----END PUBLIC KEY-----\n"},
    {"a private key", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PRIVATE KEY-----\n"
     "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0vqRtcMM60i9V5cp\n"
     "/EOWtXyhPUAWpHyC/44ukcGXFl6hRANCAARhLJD1oa3+dNoc0FEa/q0/xn9nm7c5\n"
     "Pj2yiyQsemFGxioe856dbbtOAaKEvZZPNLmeGx+m6Ku19lvOuufvwQV4\n"
     "-----END PRIVATE KEY-----\n"},
    {"a private RSA key", "malformed", "rsa", "rsassa-pss-sha256",
     "-----BEGIN PRIVATE KEY-----\n"
     "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC2IEgcK3hCAZj0\n"
     "a5IMaNJwgfqOLR3HRO9m2im9Lx++lvXq8rADiRJ95fqUl31+uBPvhHB3oTO0VwwR\n"
     "KsXpEY0TeMLGpio2e4bYXzm13hsxdtOMZZtxJDcaLusyFLZRYxlZVSXi9Z1zHQ37\n"
     "r4fqd4bw6kVxWrXpYtZ3q4xiUIut8Ut20t2rr0lOpZBfF/4FU9qUmVEHREXFYvCk\n"
     "7cXgSt/KHGEBr+DZufxyPYuw+OVF3pby6fLCRLKw2InzDTmCyARnnEBpTZD/snD5\n"
     "7XFokBiGBMMVV+vIG5h/cyfM0DW7fbOpgZGRr1rFhwcgEkJXPssq4d4My5tuOyb7\n"
     "pL6nH20FAgMBAAECggEAAceLoigpPaPcWw8DV0xdj1cwcTEu/aJxIF/N++448NjI\n"
     "FaqXXlbO2nIOd7iJ3lzCvRqzKp1lmZkmzLLOn49aAdsH3tRYIejPvCTPYIqHWNK2\n"
     "EG9xtweejjVFJlvIyD91S50nCJz+aSswgXQJRO40Cv3kUyOKwXlYv8SU/jpBPcrT\n"
     "Kv7f4ijcg/o4VgMdrA90jmDn3XaNmOxc7V66tggZpCNNI2hW1odGKjjNADuXRyy3\n"
     "0LGJmOU3xUrhgM9KGD+4IAny3emLJ9OOEfOe+Uoh+of3ut7/ejQwC7kjLJOzyCXP\n"
     "7e9IsHOJWXF2HMkJMyZvZuWYIUbsijP4uyb8jTUcAQKBgQD28NU0l1xXWizUcgrt\n"
     "F0cgs5Zq29bzuHjz6U58GhLGYbd4c8uN4fei5jX0Q2IEAS/VIUQ6y9wRyDl/8hU8\n"
     "acmyxkf9Kll9vfChDiTyvnJFoN9bKjUv7vp7vcztHeYe/KpVkZrBYqeZ+Gi0lVt6\n"
     "SCi0YstRA43WUWSwMP4WxXYVAQKBgQC8zrxo1SArDm421fLwee0HgUbELFNxcYtL\n"
     "3Xms4ovreEaMDV4pk13brkrM/JyKEvoOJdzGDHie1sUZ2kWWIsvLqdQZuSAokH+f\n"
     "E8Cpel2MzKWifF5uExmMu9iCwo26Db82v5h4mhWPGhZe+FS0hyt0/+1clFjlT85+\n"
     "msn0sn0EBQKBgF9B/ezgqpVjysFVENPu09hQjqjAD0ZLFhV5HXaQFEgEr+K+QHqF\n"
     "/aIQTiXgzHGhB5Oe1pQbydPuOggaGYkJge39wQ1vBcCUwbtPGn+taaVkbmTbflL0\n"
     "TBnp2KBrlTbE3uxNU7Zf2SlzAukOaJBeP51+MtIYneFb2oyBCbM9DtUBAoGBAINf\n"
     "kkebbDupWdT7/4OGQwCC2lurwA/igpsyKvS52cPpN6VBs/BX4un1l4SUjNOiKq3n\n"
     "eHuxt8hGBnVbpCm4Ynd+3t9bKd4v1S06EEecpjVPPD0YLpiG37NGDXvGpdj8sb0F\n"
     "ibD4/eFJtKE2R7Ipj3pkjaNqcYR1iGgdikKiY0yFAoGBAMaOJsOsvx1EUjgdUta2\n"
     "jBJtgmfNVHJise9VCIY+VMn7jgxF1v4jE304LfuWDLyRoT9um/8PKndUEpnI/wJI\n"
     "0H5XDdq+ropd58I+oF956rd8ZZGoWY7nNe57yHngUKTLNFmwSB2yRE4+Kl1PhByL\n"
     "FXhy2IA7nZOlubAKB0Qj1z4s\n"
     "-----END PRIVATE KEY-----\n"},
    {"PKCS#1", "malformed", "rsa", "rsassa-pss-sha256",
     "-----BEGIN RSA PUBLIC KEY-----\n"
     "MIIBCgKCAQEAtiBIHCt4QgGY9GuSDGjScIH6ji0dx0TvZtopvS8fvpb16vKwA4kS\n"
     "feX6lJd9frgT74Rwd6EztFcMESrF6RGNE3jCxqYqNnuG2F85td4bMXbTjGWbcSQ3\n"
     "Gi7rMhS2UWMZWVUl4vWdcx0N+6+H6neG8OpFcVq16WLWd6uMYlCLrfFLdtLdq69J\n"
     "TqWQXxf+BVPalJlRB0RFxWLwpO3F4ErfyhxhAa/g2bn8cj2LsPjlRd6W8unywkSy\n"
     "sNiJ8w05gsgEZ5xAaU2Q/7Jw+e1xaJAYhgTDFVfryBuYf3MnzNA1u32zqYGRka9a\n"
     "xYcHIBJCVz7LKuHeDMubbjsm+6S+px9tBQIDAQAB\n"
     "-----END RSA PUBLIC KEY-----\n"},
    {"a private key called public", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MHcCAQEEINL6kbXDDOtIvVeXKfxDlrV8oT1AFqR8gv+OLpHBlxZeoAoGCCqGSM49\n"
     "AwEHoUQDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3OT49soskLHphRsYqHvOenW27\n"
     "TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"a header", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "Comment: x\n"
     "\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYSyQ9aGt/nTaHNBRGv6tP8Z/Z5u3\n"
     "OT49soskLHphRsYqHvOenW27TgGihL2WTzS5nhsfpuirtfZbzrrn78EFeA==\n"
     "-----END PUBLIC KEY-----\n"},
    {"no end", "malformed", "ecdsa", "ecdsa-sha2-nistp256",
     "-----BEGIN PUBLIC KEY-----\n"
     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQ"},
    {"nothing", "malformed", "ecdsa", "ecdsa-sha2-nistp256", ""},
};

#endif
