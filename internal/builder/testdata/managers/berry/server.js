const app = require('express')()
app.get('/', (req, res) => res.send('hello\n'))
app.listen(process.env.PORT)
